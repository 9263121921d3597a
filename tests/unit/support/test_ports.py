"""Ports for the tests' servers."""

from __future__ import annotations

import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.support.ports import free_port, free_ports


def test_processes_at_once_are_given_different_ports() -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as processes:
        dealt = list(processes.map(free_ports, [20] * 8))

    assert len({port for ports in dealt for port in ports}) == 160


def test_port_that_somebody_listens_on_is_passed_over() -> None:
    with socket.socket() as taken:
        # The next in turn, unless another process was faster, and then it is taken all the same.
        taken.bind(("127.0.0.1", free_port() + 1))
        taken.listen()

        assert taken.getsockname()[1] not in free_ports(3)
