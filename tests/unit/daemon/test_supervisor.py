"""The supervisor as a real process, with workers that know nothing of mail."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import shutil
import signal
import socket
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.certificates import write_certificate
from tests.support.debian import need_program
from tests.support.patience import wait_until
from tests.support.plain_daemon import (
    PlainClient,
    get,
    plain_client,
    plain_configuration,
    plain_daemon,
    readiness,
    write_configuration,
)
from tests.support.ports import free_port, free_ports

if TYPE_CHECKING:
    from tests.support.gatepost import Gatepost

pytestmark = pytest.mark.slow

_ATTEMPTS = 100_000


def _address(daemon: Gatepost) -> tuple[str, int]:
    return "127.0.0.1", daemon.port


def _value(daemon: Gatepost, name: str, **labels: str) -> float | None:
    _, body = get(daemon.http_port, "/metrics")
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name == f"gatepost_{name}" and sample.labels == labels:
                return sample.value
    return None


def _wait_until_refused(address: tuple[str, int]) -> None:
    """Return once nobody listens; a connection that the kernel still takes is dropped."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(ConnectionResetError), socket.socket() as probe:
            probe.settimeout(10)
            if probe.connect_ex(address):
                return
    pytest.fail("somebody still listens")


def _wait_for_end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        with contextlib.closing(selectors.DefaultSelector()) as selector:
            selector.register(pidfd, selectors.EVENT_READ)
            ended = selector.select(30)
        os.close(pidfd)
        assert ended


def _is_held(port: int, of: int) -> bool:
    """Whether a process still has its end, at `port`, of the connection from the port `of`."""
    ends = (f"0100007F:{port:04X}", f"0100007F:{of:04X}")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()]
    return any((row[1], row[2]) == ends and row[9] != "0" for row in rows)


def _rewrite(daemon: Gatepost, config: dict[str, Any], **changes: Any) -> None:
    write_configuration(daemon.folder, {**config, **changes})


def test_supervisor_serves_and_ends_with_0() -> None:
    with plain_daemon(plain_configuration(workers=2)) as daemon:
        with plain_client(_address(daemon)) as client:
            assert client.generation == 1
            assert client.pid in daemon.worker_pids
            assert client.say("bye") == "bye"
        status, details = readiness(daemon)
        assert (status, details["workers_ready"], details["next_hop"]) == (200, 2, "up")
        assert get(daemon.http_port, "/healthz")[0] == 200
        assert daemon.stop() == 0
        assert not list(daemon.folder.glob("gatepost-*"))


def test_supervisor_starts_a_killed_worker_again() -> None:
    with plain_daemon(plain_configuration()) as daemon:
        with plain_client(_address(daemon)) as client:
            first = client.pid
            os.kill(first, signal.SIGKILL)
            assert client.ended()
        with plain_client(_address(daemon)) as client:
            assert client.pid != first
            assert client.generation == 1
            assert client.say("bye") == "bye"
            assert client.ended()
        assert _value(daemon, "worker_restarts_total") == 1
        # The session of the dead worker is not counted for ever.
        assert readiness(daemon)[1]["sessions"] == 0


def test_supervisor_tells_of_a_worker_that_hangs_and_starts_it_anew() -> None:
    config = plain_configuration(limits={"silent_s": 15})
    with plain_daemon(config) as daemon, plain_client(_address(daemon)) as client:
        os.kill(client.pid, signal.SIGSTOP)

        wait_until(lambda: readiness(daemon)[1]["workers_silent"] == [client.pid])
        assert readiness(daemon)[0] == 503
        assert _value(daemon, "workers") == 0
        assert _value(daemon, "workers_silent") == 1
        assert get(daemon.http_port, "/healthz")[0] == 200
        page = get(daemon.http_port, "/?lang=en")[1].decode()
        assert f"worker {client.pid} does not answer" in page

        assert client.ended()
        with plain_client(_address(daemon)) as again:
            assert again.pid != client.pid
            assert again.say("bye") == "bye"
        assert readiness(daemon)[0] == 200
        assert _value(daemon, "worker_restarts_total") == 1
        (told,) = [line for line in daemon.log.splitlines() if '"worker killed"' in line]
        assert f'"pid":{client.pid}' in told
        assert "it has not answered for 15 s" in told


def test_supervisor_reloads_while_a_caller_does_not_read_its_answer() -> None:
    with plain_daemon(plain_configuration()) as daemon, socket.socket() as caller:
        silent = socket.create_connection(("127.0.0.1", daemon.http_port))
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(("127.0.0.1", daemon.http_port))
        caller.setblocking(False)
        # Until nothing is taken any more, for the answers before are not.
        ask = b"GET /page/map.js HTTP/1.1\r\nHost: a\r\n\r\n" * 100
        with contextlib.suppress(BlockingIOError):
            while caller.send(ask):
                pass

        daemon.reload()

        # Who has said nothing is let go when the time of the others is over: it is not yet.
        with silent:
            assert _is_held(daemon.http_port, silent.getsockname()[1])
        assert get(daemon.http_port, "/healthz")[0] == 200
        with plain_client(_address(daemon)) as client:
            assert client.generation == 2


def test_supervisor_goes_on_when_a_cleaner_removes_its_folder(tmp_path: Path) -> None:
    config = plain_configuration()
    with plain_daemon(config, {"RUNTIME_DIRECTORY": str(tmp_path)}) as daemon:
        (folder,) = tmp_path.iterdir()
        shutil.rmtree(folder)
        assert get(daemon.http_port, "/metrics")[0] == 200
        daemon.reload()
        with plain_client(_address(daemon)) as client:
            assert client.generation == 2
            os.kill(client.pid, signal.SIGKILL)
            assert client.ended()
        with plain_client(_address(daemon)) as client:
            assert client.say("bye") == "bye"
        assert (folder / "metrics").is_dir()


def test_supervisor_reload_leaves_old_sessions_their_worker() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon, plain_client(_address(daemon)) as old:
        _rewrite(daemon, config, hostname="second.example")
        daemon.reload()
        with plain_client(_address(daemon)) as new:
            assert (new.name, new.generation) == ("second.example", 2)
            assert old.say("still there") == "still there"
            assert new.say("bye") == "bye"
        assert old.say("bye") == "bye"
        assert old.ended()
        _wait_for_end(old.pid)
        assert _value(daemon, "config_reloads_total", result="ok") == 1


def test_supervisor_reload_of_a_bad_configuration_changes_nothing() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        _rewrite(daemon, config, hostname="second.example", workerz=3, limits={"sessions": "many"})
        daemon.reload()
        with plain_client(_address(daemon)) as client:
            assert (client.name, client.generation) == ("first.example", 1)
        assert _value(daemon, "config_reloads_total", result="refused") == 1
        daemon.stop()
        assert "workerz" in daemon.log
        assert "sessions" in daemon.log
        assert "Traceback" not in daemon.log


def test_supervisor_reload_whose_workers_fail_changes_nothing() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        _rewrite(daemon, config, hostname="broken.example", http={"bind": config["http"]["bind"]})
        daemon.reload()
        with plain_client(_address(daemon)) as client:
            assert (client.name, client.generation) == ("first.example", 1)
        assert _value(daemon, "config_reloads_total", result="failed") == 1
        assert readiness(daemon)[0] == 200


def test_supervisor_reload_moves_a_listener() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        port = free_port()
        _rewrite(daemon, config, listeners=[{"name": "inbound", "bind": f"127.0.0.1:{port}"}])
        daemon.reload()
        with plain_client(("127.0.0.1", port)) as client:
            assert client.generation == 2
        _wait_until_refused(_address(daemon))


def test_supervisor_reload_to_a_taken_port_changes_nothing() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon, socket.create_server(("127.0.0.1", 0)) as other:
        binds = [config["listeners"][0]["bind"], f"127.0.0.1:{other.getsockname()[1]}"]
        listeners = [{"name": f"l{i}", "bind": bind} for i, bind in enumerate(binds)]
        _rewrite(daemon, config, listeners=listeners)
        daemon.reload()
        with plain_client(_address(daemon)) as client:
            assert client.generation == 1
        daemon.stop()
        assert "gatepost.yaml:6:9: " in daemon.log
        assert "the port is taken" in daemon.log


def test_supervisor_reload_that_fails_unforeseen_changes_nothing() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        # As many descriptors as it has open by now: the port cannot be opened beside the old one.
        count = len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))
        limits = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (count, limits[1]))
        daemon.reload()
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, limits)
        with plain_client(_address(daemon)) as client:
            assert client.generation == 1
        assert readiness(daemon)[1]["last_reload"] in {"failed", "refused"}
        daemon.reload()
        with plain_client(_address(daemon)) as client:
            assert client.generation > 1
        assert readiness(daemon)[1]["last_reload"] == "ok"


def test_supervisor_reload_to_no_name_of_a_host_is_refused() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        second = {"name": "second", "bind": "mx..example.org:2525", "clients": ["127.0.0.1"]}
        listeners = [*config["listeners"], second]
        _rewrite(daemon, config, listeners=listeners)
        daemon.reload()
        with plain_client(_address(daemon)) as client:
            assert client.generation == 1
        assert readiness(daemon)[1]["last_reload"] == "refused"
        daemon.stop()
        assert "no name of a host" in daemon.log


def test_supervisor_refused_reload_leaves_modes_and_a_good_one_mends_paths(tmp_path: Path) -> None:
    door, page = tmp_path / "door", tmp_path / "page"
    one = {"name": "inbound", "bind": f"unix:{door}", "socket_mode": "600"}
    http = {"bind": f"unix:{page}", "socket_mode": "666"}
    config = plain_configuration(listeners=[one])
    with plain_daemon(config) as daemon:
        bad = {"name": "bad", "bind": "192.0.2.77:2525", "clients": ["127.0.0.1"]}
        _rewrite(daemon, config, listeners=[{**one, "socket_mode": "666"}, bad])
        daemon.reload()
        assert readiness(daemon)[1]["last_reload"] == "refused"
        assert stat.S_IMODE(door.stat().st_mode) == 0o600
        door.unlink()
        _rewrite(daemon, config, http=http)
        daemon.reload()
        client = PlainClient(str(door))
        assert client.generation == 2
        client.close()
        assert stat.S_IMODE(page.stat().st_mode) == 0o666
        assert daemon.stop() == 0
        assert not door.exists()


def test_supervisor_ends_though_a_file_does_not_answer(tmp_path: Path) -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        # Nobody writes into it: who opens it waits for ever.
        os.mkfifo(tmp_path / "policy.yaml")
        _rewrite(daemon, config, policies=str(tmp_path / "policy.yaml"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("RELOADING=1")
        assert daemon.stop() == 0


def test_supervisor_reload_moves_http() -> None:
    config = plain_configuration()
    with plain_daemon(config) as daemon:
        port = free_port()
        _rewrite(daemon, config, http={"bind": f"127.0.0.1:{port}"})
        daemon.reload()
        assert get(port, "/readyz")[0] == 200
        _wait_until_refused(("127.0.0.1", daemon.http_port))


def test_supervisor_stop_lets_sessions_finish() -> None:
    with plain_daemon(plain_configuration()) as daemon, plain_client(_address(daemon)) as client:
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("STOPPING=1")
        _wait_until_refused(_address(daemon))
        status, details = readiness(daemon)
        assert (status, details["state"]) == (503, "draining")
        assert client.say("still there") == "still there"
        assert client.say("bye") == "bye"
        assert daemon.process.wait(30) == 0


def test_supervisor_stop_ends_sessions_that_do_not_finish() -> None:
    config = plain_configuration(limits={"drain_s": 0.1})
    with plain_daemon(config) as daemon, plain_client(_address(daemon)) as client:
        daemon.process.send_signal(signal.SIGTERM)
        assert client.ended()
        assert daemon.process.wait(30) == 0


def test_supervisor_second_stop_ends_at_once() -> None:
    with plain_daemon(plain_configuration()) as daemon, plain_client(_address(daemon)) as client:
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_for("STOPPING=1")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(30) == 1
        assert client.ended()


def test_supervisor_stop_shortens_the_drain_of_a_reload() -> None:
    config = plain_configuration(limits={"drain_s": 0.1})
    with plain_daemon(config) as daemon, plain_client(_address(daemon)) as old:
        daemon.reload()
        assert old.say("still there") == "still there"
        daemon.process.send_signal(signal.SIGTERM)
        assert old.ended()
        assert daemon.process.wait(30) == 0


def test_worker_whose_supervisor_is_gone_ends() -> None:
    config = plain_configuration(limits={"drain_s": 0.1})
    with plain_daemon(config) as daemon, plain_client(_address(daemon)) as client:
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(30)
        assert client.ended()
        _wait_for_end(client.pid)
        _wait_until_refused(_address(daemon))


def test_worker_told_to_stop_is_replaced() -> None:
    with plain_daemon(plain_configuration()) as daemon:
        with plain_client(_address(daemon)) as client:
            first = client.pid
            os.kill(first, signal.SIGTERM)
            assert client.say("bye") == "bye"
        _wait_for_end(first)
        with plain_client(_address(daemon)) as client:
            assert client.pid != first


def test_readyz_follows_the_next_hop() -> None:
    config = plain_configuration(hostname="down.example")
    with plain_daemon(config) as daemon:
        status, details = readiness(daemon)
        assert (status, details["next_hop"]) == (503, "down")
        assert _value(daemon, "next_hop_up") == 0
        _rewrite(daemon, config, hostname="up.example")
        daemon.reload()
        assert readiness(daemon)[0] == 200
        assert _value(daemon, "next_hop_up") == 1


@pytest.mark.debian
def test_metrics_are_what_promtool_takes(tmp_path: Path) -> None:
    program = need_program("promtool")
    tls = write_certificate(tmp_path, "mx.example.org")
    ports = free_ports(2)
    listeners = [
        {"name": f"l{i}", "bind": f"127.0.0.1:{ports[i]}", "tls": {**tls}} for i in range(2)
    ]
    with plain_daemon(plain_configuration(listeners=listeners)) as daemon:
        daemon.reload()
        _, scraped = get(daemon.http_port, "/metrics")
    done = subprocess.run(
        [program.path, "check", "metrics"],
        env=program.environment,
        input=scraped,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_supervisor_tells_the_watchdog_that_it_lives() -> None:
    with plain_daemon(plain_configuration(), {"WATCHDOG_USEC": "200000"}) as daemon:
        daemon.wait_for("WATCHDOG=1")
        daemon.wait_for("WATCHDOG=1")


def test_supervisor_with_a_taken_port_does_not_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        config = plain_configuration(listeners=[{"name": "inbound", "bind": bind}])
        with plain_daemon(config, ready=False) as daemon:
            assert daemon.process.wait(30) == 78
            assert f"gatepost.yaml:4:9: {bind}: the port is taken" in daemon.log
            assert "Traceback" not in daemon.log


def test_supervisor_whose_workers_fail_does_not_start() -> None:
    with plain_daemon(plain_configuration(hostname="broken.example"), ready=False) as daemon:
        assert daemon.process.wait(30) == 1
        assert "this worker cannot be built" in daemon.log
        assert "not started" in daemon.log


def test_supervisor_listens_on_a_unix_socket(tmp_path: Path) -> None:
    listeners = [{"name": "inbound", "bind": f"unix:{tmp_path}/door"}]
    with plain_daemon(plain_configuration(listeners=listeners)) as daemon:
        client = PlainClient(f"{tmp_path}/door")
        assert client.say("bye") == "bye"
        client.close()
        daemon.reload()
        client = PlainClient(f"{tmp_path}/door")
        assert client.generation == 2
        client.close()
        assert daemon.stop() == 0
        assert not (tmp_path / "door").exists()
