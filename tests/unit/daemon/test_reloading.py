"""Reloads that nobody asks for: files that change, and configurations that are taken back."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.patience import wait_until
from tests.support.plain_daemon import (
    plain_client,
    plain_configuration,
    plain_daemon,
    readiness,
    write_configuration,
)
from tests.support.ports import free_port

if TYPE_CHECKING:
    from tests.support.gatepost import Gatepost

pytestmark = pytest.mark.slow

GUARD = {"over_messages": 20, "least_percent": 10}


def judge(daemon: Gatepost, name: str, *actions: str) -> None:
    """Have a worker of the configuration called `name` give these verdicts."""
    with plain_client(("127.0.0.1", daemon.port)) as client:
        assert client.name == name
        for action in (*actions, "bye"):
            assert client.say(action) == action


def write(daemon: Gatepost, config: dict[str, Any], hostname: str) -> None:
    write_configuration(daemon.folder, {**config, "hostname": hostname})


def name_of(daemon: Gatepost) -> str:
    with plain_client(("127.0.0.1", daemon.port)) as client:
        return client.name


def test_watched_file_that_changes_is_taken_a_mistake_is_refused_and_mended() -> None:
    config = plain_configuration(reload={"watch": True, "every_s": 0.5})
    with plain_daemon(config) as daemon:
        write(daemon, config, "second.example")
        wait_until(lambda: name_of(daemon) == "second.example")
        write(daemon, {**config, "workerz": 1}, "third.example")
        wait_until(lambda: readiness(daemon)[1]["last_reload"] == "refused")
        assert name_of(daemon) == "second.example"
        write(daemon, config, "fourth.example")
        wait_until(lambda: name_of(daemon) == "fourth.example")
        wait_until(lambda: readiness(daemon)[1]["last_reload"] == "ok")


def test_configuration_whose_verdicts_fail_the_guard_is_taken_back() -> None:
    config = plain_configuration(reload={"guard": GUARD})
    with plain_daemon(config) as daemon:
        # So many must be known for a trial; workers tell the supervisor of theirs each second.
        judge(daemon, "first.example", *["pass"] * 20, "told")
        daemon.reload()
        wait_until(lambda: "configuration on trial" in daemon.log)
        judge(daemon, "first.example", *["pass"] * 20)
        wait_until(lambda: "configuration held" in daemon.log)
        write(daemon, config, "second.example")
        daemon.reload()
        judge(daemon, "second.example", *["reject"] * 5)
        daemon.wait_for("READY=1")
        assert readiness(daemon)[1]["last_reload"] == "rolled_back"
        assert name_of(daemon) == "first.example"
        wait_until(lambda: "reject: 25.0% of 20 verdicts, usually 0.0%" in daemon.log)
        # The files still say what was taken back; when somebody asks for it, it is tried again.
        daemon.reload()
        judge(daemon, "second.example", *["pass"] * 20)
        wait_until(lambda: daemon.log.count("configuration held") == 2)
        assert name_of(daemon) == "second.example"


def test_rollback_that_fails_is_tried_again() -> None:
    config = plain_configuration(reload={"guard": GUARD})
    with plain_daemon(config) as daemon:
        judge(daemon, "first.example", *["pass"] * 20, "told")
        moved = [{"name": "inbound", "bind": f"127.0.0.1:{free_port()}"}]
        write(daemon, {**config, "listeners": moved}, "second.example")
        daemon.reload()
        second = int(moved[0]["bind"].rpartition(":")[2])
        with socket.create_server(("127.0.0.1", daemon.port)):
            with plain_client(("127.0.0.1", second)) as client:
                for _ in range(5):
                    assert client.say("reject") == "reject"
            wait_until(lambda: "configuration not rolled back" in daemon.log)
            wait_until(lambda: readiness(daemon)[1]["last_reload"] == "failed")
        wait_until(lambda: readiness(daemon)[1]["last_reload"] == "rolled_back")
        assert name_of(daemon) == "first.example"
