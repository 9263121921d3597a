"""One corpus at each door: through Postfix by milter, through Postfix by proxy, `gatepost scan`.

Action, score and symbols of a message are the same whichever way it came. Names come from the
samples' zone, so the checks have something to ask.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from milter.cli.demo_samples import Sample, read_samples
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.ports import free_ports
from tests.support.postfix import running_postfix
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.debian, pytest.mark.slow]

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SAMPLES: Final = _CHECKOUT / "samples"
_READ: Final = read_samples(_SAMPLES)
Verdict = tuple[str, float, list[str]]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, list[Verdict]]]:
    """The verdicts at the doors `milter` and `proxy`, in the order of the samples."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        front, before, behind, milter = free_ports(4)
        asked = stack.enter_context(_gatepost(f"127.0.0.1:{milter}", behind, "milter"))
        passed = stack.enter_context(_gatepost("", behind, "smtp"))
        services = [
            _smtpd(front, f"smtpd_milters=inet:127.0.0.1:{milter}"),
            _smtpd(before, f"smtpd_proxy_filter=127.0.0.1:{passed.port}"),
            _smtpd(behind, "smtpd_authorized_xforward_hosts=127.0.0.0/8"),
        ]
        main = {"relayhost": f"[127.0.0.1]:{sink.port}", "relay_domains": "example.org"}
        # Postfix gives a message without Date or Message-ID one of each before it asks, for clients
        # that it takes for its own; the proxy door sees what the client sent.
        main |= {"local_header_rewrite_clients": ""}
        stack.enter_context(running_postfix(main, services))
        for sample in _READ:
            for port in (front, before):
                send_message(port, _envelope(sample), _message(sample))
        # Their log is whole once they have ended.
        for daemon in (asked, passed):
            daemon.stop()
        yield {"milter": _logged(asked), "proxy": _logged(passed)}


def _smtpd(port: int, option: str) -> str:
    lines = (
        f"127.0.0.1:{port} inet n - n - - smtpd",
        "-o smtpd_authorized_xclient_hosts=127.0.0.0/8",
        "-o smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination",
        f"-o {option}",
    )
    return "\n  ".join(lines)


def _gatepost(bind: str, behind: int, protocol: str) -> contextlib.AbstractContextManager[Gatepost]:
    config = configuration(
        f"127.0.0.1:{behind}", policies="policy.yaml", dns={"zone_file": "zone.yaml"}
    )
    listener = config["listeners"][0]
    listener["protocol"] = protocol
    if protocol == "milter":
        listener["bind"] = bind
        del listener["trusted_clients"]
    return running_gatepost(config, _files())


def _files() -> dict[str, str]:
    return {name: (_SAMPLES / name).read_text("utf-8") for name in ("policy.yaml", "zone.yaml")}


def _envelope(sample: Sample) -> Envelope:
    return Envelope(sample.client_ip, sample.helo, sample.mail_from, tuple(sample.rcpt))


def _message(sample: Sample) -> bytes:
    return (_SAMPLES / sample.file).read_bytes().replace(b"\n", b"\r\n")


def _logged(daemon: Gatepost) -> list[Verdict]:
    return [_verdict(line) for line in daemon.transactions if "action" in line]


def _verdict(line: dict[str, Any]) -> Verdict:
    return line["action"], line["score"], sorted(line.get("symbols", []))


def _scanned(sample: Sample) -> Verdict:
    command = [sys.executable, "-m", "milter", "scan", str(_SAMPLES / sample.file), "--json"]
    command += ["--policy", str(_SAMPLES / "policy.yaml"), "--dns", str(_SAMPLES / "zone.yaml")]
    command += ["--client-ip", sample.client_ip, "--helo", sample.helo]
    command += ["--mail-from", sample.mail_from or "<>"]
    for recipient in sample.rcpt:
        command += ["--rcpt", recipient]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    report = json.loads(done.stdout)
    return _verdict(report | {"symbols": list(report["symbols"])})


def test_milter_and_proxy_give_every_message_the_same_verdict(
    verdicts: dict[str, list[Verdict]],
) -> None:
    assert len(verdicts["milter"]) == len(_READ)
    assert verdicts["milter"] == verdicts["proxy"]


@pytest.mark.parametrize("sample", _READ, ids=lambda sample: sample.file)
def test_milter_and_scan_give_a_message_the_same_verdict(
    verdicts: dict[str, list[Verdict]], sample: Sample
) -> None:
    assert verdicts["milter"][_READ.index(sample)] == _scanned(sample)
