"""One corpus for all doors, as every door can get it, and what `gatepost scan` says of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milter.cli.demo_samples import read_samples
from tests.support.corpora import CORPORA, corpus
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.gatepost import Gatepost
    from tests.support.smtp_client import Envelope

MESSAGES: Final = 500
_SAMPLES: Final = Path(__file__).resolve().parents[2] / "samples"
_MAX_BYTES: Final = 60_000
# Postfix and Sendmail would break longer lines on their way.
_MAX_LINE: Final = 990
_NUMBER: Final = b"X-Number"
# Postfix ends a header before a line that is none of it; the milter door sees what it made.
_HEADER: Final = re.compile(rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\r\n")
Verdict = tuple[str, float, list[str]]


def wanted(message: bytes) -> bool:
    """Return whether every door can get the message as it is."""
    plain = message.replace(b"\r\n", b"")
    return (
        len(message) < _MAX_BYTES
        and not re.search(rb"[\x00\r\n]", plain)
        and _HEADER.match(message) is not None
        and max(map(len, message.split(b"\r\n"))) < _MAX_LINE
    )


def comparison_mail() -> list[bytes]:
    """Return messages of the corpora, numbered; of the samples where there are none."""
    found: list[bytes] = []
    if (SHARED / "corpora").is_dir():
        share = -(-MESSAGES // len(CORPORA))
        for name in CORPORA:
            found += islice(filter(wanted, corpus(name, every=5)), share)
    else:
        files = [sample.file for sample in read_samples(_SAMPLES)]
        found = [(_SAMPLES / file).read_bytes().replace(b"\n", b"\r\n") for file in files]
    return [b"%b: %d\r\n%b" % (_NUMBER, i, one) for i, one in enumerate(found[:MESSAGES])]


def number_of(message: bytes) -> int:
    """Return the number of a message, in whatever shape it arrived."""
    match = re.search(rb"^%b: (\d+)\r\n" % _NUMBER, message, re.MULTILINE)
    assert match is not None
    return int(match[1])


def comparison_files() -> dict[str, str]:
    """Return the policy and the zone that all doors judge by."""
    return {name: (_SAMPLES / name).read_text("utf-8") for name in ("policy.yaml", "zone.yaml")}


def verdict_of(line: Mapping[str, Any]) -> Verdict:
    """Return the verdict that a line of the log or a report tells of."""
    return line["action"], line["score"], sorted(line.get("symbols", []))


def verdicts_logged(daemon: Gatepost, listener: str) -> list[Verdict]:
    """Return the verdicts of one listener, in their order."""
    lines = [line for line in daemon.transactions if line["listener"] == listener]
    return [verdict_of(line) for line in lines if "action" in line]


def verdicts_scanned(folder: Path, messages: list[bytes], envelope: Envelope) -> list[Verdict]:
    """Return what `gatepost scan` says of the messages, which it finds in `folder`."""
    files = []
    for i, message in enumerate(messages):
        files.append(folder / f"{i:05}.eml")
        files[-1].write_bytes(message)
    command = [
        sys.executable, "-m", "milter", "scan", *map(str, files), "--json",
        "--policy", str(_SAMPLES / "policy.yaml"), "--dns", str(_SAMPLES / "zone.yaml"),
        "--client-ip", envelope.client_ip, "--helo", envelope.helo,
        "--mail-from", envelope.mail_from, "--rcpt", envelope.recipients[0],
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=900, check=False)
    reports = map(json.loads, done.stdout.splitlines())
    return [verdict_of(report | {"symbols": list(report["symbols"])}) for report in reports]
