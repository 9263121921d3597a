"""The supervisor where the machine has little left."""

from __future__ import annotations

import resource

import pytest

from tests.support.plain_daemon import plain_configuration, plain_daemon

pytestmark = pytest.mark.slow


def test_daemon_takes_all_the_descriptors_that_it_may_have() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    try:
        with plain_daemon(plain_configuration()) as daemon:
            (worker,) = daemon.worker_pids

            allowed = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert allowed == (before[1], before[1])
