from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from milter.daemon.listening import ListenError, Listeners, hand_over, open_listener


def test_open_listener_with_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(ListenError, match="longer than 107 bytes"):
        open_listener("unix:/" + "x" * 107)


def test_open_listener_in_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="No such file"):
        open_listener(f"unix:{tmp_path}/missing/s")


def test_open_listener_without_a_host_takes_connections_of_ipv4() -> None:
    with open_listener(":0") as sock, socket.socket() as client:
        client.connect(("127.0.0.1", sock.getsockname()[1]))


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


def test_open_listener_leaves_a_busy_socket_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(socket.socket(socket.AF_UNIX))
        other.bind(str(path))
        other.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(path))
        with pytest.raises(ListenError, match="another process listens"):
            open_listener(f"unix:{path}")


def test_open_listener_leaves_a_socket_for_datagrams_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(ListenError, match="a socket of another kind"):
            open_listener(f"unix:{path}")


@pytest.mark.parametrize(
    ("folder_mode", "socket_mode", "words"),
    [(0o777, 0o755, "not permitted"), (0o1777, 0o777, "a socket of another user")],
    ids=["not-ours-to-ask", "not-ours-to-remove"],
)
def test_open_listener_with_a_stale_socket_of_another_user_says_so(
    folder_mode: int, socket_mode: int, words: str
) -> None:
    if os.geteuid():
        pytest.skip("only root becomes somebody else")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        open_listener(f"unix:{path}").close()
        path.chmod(socket_mode)
        path.parent.chmod(folder_mode)
        os.seteuid(65534)
        try:
            with pytest.raises(ListenError, match=words):
                open_listener(f"unix:{path}")
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("host", ["mx..example.org", f"{'x' * 64}.example.org"])
def test_open_listener_with_no_name_of_a_host_says_so(host: str) -> None:
    with pytest.raises(ListenError, match="no name of a host"):
        open_listener(f"{host}:2525")


def test_open_listener_leaves_a_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(ListenError, match="no socket"):
        open_listener(f"unix:{path}")
    assert path.read_text() == "precious"


def opened(listeners: Listeners, **binds: str) -> dict[str, socket.socket]:
    """Open, and take nothing back that was opened."""
    with contextlib.ExitStack() as undo:
        sockets = listeners.open_all(binds, undo)
        undo.pop_all()
    return sockets


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_listeners_open_all_uses_an_open_socket_again(tmp_path: Path) -> None:
    listeners, path = Listeners(), f"unix:{tmp_path}/a"
    first = opened(listeners, a=path)
    second = opened(listeners, a=path, b="127.0.0.1:0", c="127.0.0.1:0")
    assert first["a"] is second["a"]
    assert second["b"] is not second["c"]
    listeners.keep_only(["b", "c"])
    assert not os.path.lexists(tmp_path / "a")
    listeners.keep_only([])


def test_listeners_open_all_with_one_failure_opens_none(tmp_path: Path) -> None:
    listeners, path = Listeners(), tmp_path / "a"
    with pytest.raises(ListenError):
        opened(listeners, a=f"unix:{path}", b="192.0.2.1:1")
    assert not path.exists()


def test_listeners_open_a_path_anew_that_was_removed(tmp_path: Path) -> None:
    listeners, path = Listeners(), tmp_path / "a"
    first = opened(listeners, a=f"unix:{path}")["a"]
    path.unlink()
    with pytest.raises(ListenError):
        opened(listeners, a=f"unix:{path}", b="192.0.2.1:1")
    assert not path.exists()
    second = opened(listeners, a=f"unix:{path}")["a"]
    assert second is not first
    listeners.keep_only(["a"])
    assert first.fileno() == -1
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listeners.keep_only([])
    assert not path.exists()


def test_listeners_say_when_they_are_in_their_own_way() -> None:
    listeners = Listeners()
    port = opened(listeners, a="127.0.0.1:0")["a"].getsockname()[1]
    with pytest.raises(ListenError, match=r"Gatepost itself .* restart it"):
        opened(listeners, b=f"0.0.0.0:{port}")
    # No restart helps where both are wanted.
    with pytest.raises(ListenError, match=r"another address of this configuration"):
        opened(listeners, a="127.0.0.1:0", b=f"0.0.0.0:{port}")
    listeners.keep_only([])


def test_unix_socket_loses_a_mode_that_is_no_longer_wanted(tmp_path: Path) -> None:
    listeners, path = Listeners(), tmp_path / "a"
    bind = f"unix:{path}"
    opened(listeners, a=bind)
    path.chmod(0o640)
    listeners.hand_over("a", bind, None, None)
    assert mode_of(path) == 0o640
    listeners.hand_over("a", bind, "666", None)
    take_back = listeners.hand_over("a", bind, "600", None)
    take_back()
    assert mode_of(path) == 0o666
    listeners.hand_over("a", bind, None, None)
    assert mode_of(path) not in {0o600, 0o640, 0o666}
    listeners.keep_only([])


def test_unix_socket_gets_its_mode(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/milter"
    with open_listener(bind):
        hand_over(bind, "660", None)
        assert stat.S_IMODE((tmp_path / "milter").stat().st_mode) == 0o660


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_unix_socket_gets_its_owner_and_its_group(tmp_path: Path) -> None:
    bind, path = f"unix:{tmp_path}/milter", tmp_path / "milter"
    with open_listener(bind):
        hand_over(bind, None, ":mail")
        assert (path.owner(), path.group()) == ("root", "mail")
        hand_over(bind, None, "daemon:daemon")
        assert (path.owner(), path.group()) == ("daemon", "daemon")


def test_unix_socket_for_a_group_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/milter"
    with open_listener(bind), pytest.raises(ListenError, match="no user or group"):
        hand_over(bind, None, ":no-such-group")


def test_port_has_no_mode() -> None:
    hand_over("127.0.0.1:25", "660", None)
