"""rspamd's own programs against a real daemon: they find what they expect of rspamd."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debian import need_program
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.debian]

_GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_SPAM = f"From: a@example.net\nSubject: x\nMessage-ID: <1@x.example>\n\n{_GTUBE}\n"
_HAM = "From: a@example.net\nSubject: minutes\nMessage-ID: <2@x.example>\n\nSee you on Monday.\n"


@contextlib.contextmanager
def a_daemon(folder: Path) -> Iterator[Gatepost]:
    """Give a daemon that learns, with an empty zone, so that it asks no name server."""
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}",
            store=f"sqlite:{folder / 'state.db'}",
            dns={"zone_file": "zone.yaml"},
        )
        config["http"]["token_file"] = "token"
        files = {"token": "secret\n", "zone.yaml": "names: {}\n"}
        with running_gatepost(config, files) as daemon:
            yield daemon


def rspamc(daemon: Gatepost, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run rspamc against the daemon."""
    program = need_program("rspamc")
    command = [program.path, "-h", f"127.0.0.1:{daemon.http_port}", *arguments]
    return subprocess.run(
        command, env=program.environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("compressed", [[], ["-z"]], ids=["plain", "zstd"])
def test_rspamc_scans(compressed: list[str], tmp_path: Path) -> None:
    spam = tmp_path / "spam.eml"
    spam.write_text(_SPAM)
    envelope = ["-i", "192.0.2.1", "--helo", "c.example", "-F", "a@example.net"]
    recipients = ["-r", "b@example.org"]
    with a_daemon(tmp_path) as daemon:
        done = rspamc(daemon, "--json", *compressed, *envelope, *recipients, spam)
        assert done.returncode == 0, done.stderr
        reply = json.loads(done.stdout)
        assert reply["action"] == "reject"
        assert "GTUBE" in reply["symbols"]
        wait_until(lambda: bool(daemon.transactions))
        (line,) = daemon.transactions
        assert (line["client_ip"], line["helo_name"]) == ("192.0.2.1", "c.example")
        assert line["recipients"] == ["b@example.org"]


def test_rspamc_learns_with_the_password_alone_and_shows_what_was_done(tmp_path: Path) -> None:
    ham = tmp_path / "ham.eml"
    ham.write_text(_HAM)
    with a_daemon(tmp_path) as daemon:
        assert "401" in rspamc(daemon, "learn_ham", ham).stdout
        lessons = [rspamc(daemon, "-P", "secret", "learn_ham", ham) for _ in range(2)]
        assert "success = true" in lessons[0].stdout
        assert "learned as ham before" in lessons[1].stdout
        assert [lesson.returncode for lesson in lessons] == [0, 0]
        rspamc(daemon, ham)
        shown = rspamc(daemon, "stat").stdout
        assert "Messages learned: 1" in shown


def test_curl_learns_over_the_socket_as_scripts_around_rspamd_have_it(tmp_path: Path) -> None:
    """Mail suites pipe what a user moved to `curl --unix-socket`, without a password."""
    program, path = need_program("curl"), tmp_path / "http"
    config = configuration("127.0.0.1:1", store=f"sqlite:{tmp_path / 'state.db'}")
    config["http"] = {"bind": f"unix:{path}"}

    def learned(label: str) -> tuple[str, bool]:
        command = ["-s", "-w", "%{stderr}%{http_code}", "--data-binary", "@-", "--unix-socket"]
        done = subprocess.run(
            [program.path, *command, path, f"http://rspamd/{label}"],
            env=program.environment,
            input=_HAM,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stderr, json.loads(done.stdout).get("success", False)

    with running_gatepost(config):
        assert learned("learnham") == ("200", True)
        assert learned("learnham")[0] == "208"
        assert learned("learnspam") == ("200", True)


def test_rspamadm_makes_logs_of_a_corpus(tmp_path: Path) -> None:
    program = need_program("rspamadm")
    need_program("rspamc")
    for label, text in (("spam", _SPAM), ("ham", _HAM)):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.eml").write_text(text)
    with a_daemon(tmp_path) as daemon:
        command: list[str | Path] = [
            program.path, "corpus_test", "-H", tmp_path / "ham", "-S", tmp_path / "spam",
            "-o", tmp_path / "results.log", "-c", f"127.0.0.1:{daemon.http_port}",
        ]  # fmt: skip
        done = subprocess.run(
            command,
            env=program.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        log = tmp_path / "results.log"
        assert log.exists(), done.stdout + done.stderr
        lines = sorted(log.read_text().split("\n"))
        assert any("GTUBE" in line for line in lines)
