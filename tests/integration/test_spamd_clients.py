"""Real clients of spamd's protocol: spamc, and Exim with both variants of its `spam` condition."""

from __future__ import annotations

import contextlib
import re
import smtplib
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.debian import need_program
from tests.support.doc_blocks import block
from tests.support.exim import running_exim
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.debian]

_GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
_HEAD = (
    b"From: a@example.net\nTo: b@example.org\nSubject: x\nX-Spam-Flag: NO\n"
    b"Message-ID: <1@example.net>\n\n"
)
_POLICY = """\
version: 1
name: site
default_weights: true
thresholds: {tag: 5, reject: 50}
patterns:
  - {id: LOTTERY, in: body, match: lottery, class: content, kind: fraud, describe: x, weight: 9}
  - {id: IMPATIENT, in: body, match: at once, class: content, kind: other, describe: x, weight: 1}
rules:
  - {id: COME_LATER, when: '"IMPATIENT" in symbols', action: defer, describe: Comes too early}
"""


@contextlib.contextmanager
def a_daemon(folder: Path) -> Iterator[tuple[Gatepost, int]]:
    """Give a daemon that speaks spamd on a port and on the unix socket `spamd` of `folder`."""
    port = free_port()
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}",
            store=f"sqlite:{folder / 'state.db'}",
            policies="policy.yaml",
            dns={"zone_file": "zone.yaml"},
        )
        config["listeners"] += [
            {"name": "spamd", "protocol": "spamd", "bind": f"127.0.0.1:{port}"},
            {"name": "local", "protocol": "spamd", "bind": f"unix:{folder / 'spamd'}"},
        ]
        files = {"policy.yaml": _POLICY, "zone.yaml": "names: {}\n"}
        with running_gatepost(config, files) as daemon:
            yield daemon, port


def spamc(message: bytes, *arguments: str | Path | int) -> tuple[int, bytes]:
    """Return exit code and output of spamc, which must not fall back to passing the message on."""
    program = need_program("spamc")
    command = [str(program.path), "-x", *map(str, arguments)]
    done = subprocess.run(
        command,
        input=message,
        env=program.environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_spamc_checks_reports_and_marks(tmp_path: Path) -> None:
    with a_daemon(tmp_path) as (_, port):
        place = ("-d", "127.0.0.1", "-p", port)
        code, said = spamc(_HEAD + _GTUBE, *place, "-c")
        assert code == 1
        score, threshold = map(float, said.split(b"/"))
        assert score > threshold == 5
        assert spamc(_HEAD + b"minutes\n", *place, "-c")[0] == 0
        assert b"GTUBE" in spamc(_HEAD + _GTUBE, *place, "-y")[1]
        assert b"The message bears the GTUBE test string" in spamc(_HEAD + _GTUBE, *place, "-R")[1]
        assert spamc(_HEAD + b"minutes\n", *place, "-r")[1] == b""
        code, marked = spamc(_HEAD + _GTUBE, *place)
        assert code == 0
        assert b"X-Spam-Flag: YES\n" in marked
        assert marked.endswith(_HEAD.replace(b"X-Spam-Flag: NO\n", b"") + _GTUBE)
        assert spamc(_HEAD, *place, "-K")[0] == 0


def test_spamc_learns_over_a_unix_socket_alone(tmp_path: Path) -> None:
    message = _HEAD + b"minutes\n"
    with a_daemon(tmp_path) as (_, port):
        lesson = ("-U", tmp_path / "spamd", "-L", "ham")
        assert b"successfully" in spamc(message, *lesson)[1]
        assert b"already" in spamc(message, *lesson)[1]
        code, _ = spamc(message, "-d", "127.0.0.1", "-p", port, "-L", "ham")
        assert code != 0


@pytest.mark.parametrize("variant", ["", " variant=rspamd"], ids=["spamassassin", "rspamd"])
def test_exim_refuses_what_is_spam_and_takes_the_rest(variant: str, tmp_path: Path) -> None:
    acl = "  deny spam = nobody\n       message = spam $spam_score ($spam_action)"
    with a_daemon(tmp_path) as (daemon, port):
        with (
            running_exim(f"127.0.0.1 {port}{variant}", acl) as exim,
            smtplib.SMTP("127.0.0.1", exim.port, "client.example.net", timeout=60) as client,
        ):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                client.sendmail("a@example.net", "b@example.org", _HEAD + _GTUBE)
            client.sendmail("a@example.net", "b@example.org", _HEAD + b"minutes\n")
        assert refused.value.smtp_code == 550
        assert re.search(r"spam 10\d\.\d \(reject\)", str(refused.value.smtp_error))
        wait_until(lambda: len(daemon.transactions) >= 2)
        line = daemon.transactions[0]
        assert line["listener"] == "spamd"
        if variant:
            assert (line["client_ip"], line["mail_from"]) == ("127.0.0.1", "a@example.net")
            assert line["recipients"] == ["b@example.org"]


def told(port: int, message: bytes) -> str:
    """Return the reply to the end of a message, of however many lines."""
    with smtplib.SMTP("127.0.0.1", port, "client.example.net", timeout=60) as client:
        client.ehlo()
        client.mail("a@example.net")
        client.rcpt("b@example.org")
        code, words = client.data(message)
    return " ".join([str(code), *words.decode().split()])


def test_exim_does_what_the_page_says(tmp_path: Path) -> None:
    shown = block("spamd.md", "spamd_address")
    lines = re.fullmatch(
        r"spamd_address = (.*)\n\nacl_data:\n(.*)  accept\n", shown, flags=re.DOTALL
    )
    assert lines is not None
    texts = (_GTUBE, b"at once\n", b"lottery\n", b"minutes\n")
    with contextlib.ExitStack() as stack:
        with a_daemon(tmp_path) as (_, port):
            address = lines[1].replace("783", str(port))
            exim = stack.enter_context(running_exim(address, lines[2]))
            refused, deferred, *taken = [told(exim.port, _HEAD + text) for text in texts]
        away = told(exim.port, _HEAD + b"minutes\n")
        marked, plain = exim.queued
    assert re.fullmatch(r"550 5\.7\.1 Message refused: .* \([0-9A-Z]{12}\)", refused)
    assert re.fullmatch(r"451 4\.7\.1 .* \([0-9A-Z]{12}\)", deferred)
    assert [reply[:3] for reply in (*taken, away)] == ["250", "250", "451"]
    assert "X-Spam-Flag: YES" in marked
    # Exim marks a field that it took away with a star.
    flags = re.findall(r"^\d+(.) (X-Spam-Flag: .*)$", plain, re.MULTILINE)
    assert flags == [("*", "X-Spam-Flag: NO")]
    assert re.search(r"X-Spam-Score: -?\d", plain)
