from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from milter.daemon.listening import Address, ListenError, Listeners, open_listener, parse_bind

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1:25", Address("127.0.0.1", 25)),
        (":25", Address("", 25)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:2525", Address("::1", 2525)),
        ("unix:/run/a", Address(path="/run/a")),
    ],
)
def test_parse_bind_reads_every_form(bind: str, address: Address) -> None:
    assert parse_bind(bind) == address


@pytest.mark.parametrize(
    "bind", ["", "25", "::1:25", "host:", "host:70000", "[::1]", "unix:", "unix:/" + "x" * 107]
)
def test_parse_bind_of_something_else_is_refused(bind: str) -> None:
    with pytest.raises(ListenError):
        parse_bind(bind)


def test_open_listener_with_a_taken_port_says_so() -> None:
    with open_listener("127.0.0.1:0") as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ListenError, match="the port is taken"):
            open_listener(f"127.0.0.1:{port}")


def test_open_listener_with_a_foreign_address_says_so() -> None:
    with pytest.raises(ListenError, match="does not have this address"):
        open_listener("192.0.2.1:0")


def test_open_listener_removes_a_stale_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    open_listener(f"unix:{path}").close()
    assert path.is_socket()
    with open_listener(f"unix:{path}"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_open_listener_leaves_a_living_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with open_listener(f"unix:{path}"):
        with pytest.raises(ListenError, match="another process listens"):
            open_listener(f"unix:{path}")
        assert path.is_socket()


def test_open_listener_leaves_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ListenError, match="no socket"):
        open_listener(f"unix:{path}")
    assert path.read_text() == "precious"


def test_listeners_open_all_uses_an_open_socket_again(tmp_path: Path) -> None:
    listeners, path = Listeners(), f"unix:{tmp_path}/a"
    first = listeners.open_all([path])
    second = listeners.open_all([path, "127.0.0.1:0"])
    assert first[path] is second[path]
    listeners.keep_only(["127.0.0.1:0"])
    assert not os.path.lexists(tmp_path / "a")
    listeners.keep_only([])


def test_listeners_open_all_with_one_failure_opens_none(tmp_path: Path) -> None:
    listeners, path = Listeners(), tmp_path / "a"
    with pytest.raises(ListenError):
        listeners.open_all([f"unix:{path}", "192.0.2.1:1"])
    assert not path.exists()
