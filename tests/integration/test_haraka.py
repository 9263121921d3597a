"""A real Haraka with haraka-plugin-rspamd, which takes Gatepost for rspamd."""

from __future__ import annotations

import smtplib
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from tests.support.doc_blocks import block
from tests.support.gatepost import configuration, running_gatepost
from tests.support.haraka import running_haraka
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

_GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_HEAD = (
    b"From: a@example.net\r\nTo: b@example.org\r\nSubject: x\r\n"
    b"Date: Thu, 01 Jan 2026 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
    b"X-Spam-Flag: NO\r\n\r\n"
)
_LENIENT = """\
version: 1
name: site
default_weights: true
thresholds: {tag: 5, reject: 50}
weights: {LOTTERY: 6}
patterns:
  - {id: LOTTERY, in: body, match: lottery, class: content, kind: fraud, describe: x, weight: 6}
"""


def test_haraka_refuses_marks_and_passes_on_what_gatepost_says(tmp_path: Path) -> None:
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}", policies="policy.yaml", dns={"zone_file": "zone.yaml"}
        )
        files = {"policy.yaml": _LENIENT, "zone.yaml": "names: {}\n"}
        with running_gatepost(config, files) as daemon:
            shown = block("http.md", "add_headers=")
            ini = {
                "main": shown.replace("11380", str(daemon.http_port)),
                # Its client is on loopback here.
                "check": "local_ip=true\nprivate_ip=true",
            }
            with (
                running_haraka(tmp_path, sink.port, "example.org", ini) as port,
                smtplib.SMTP("127.0.0.1", port, "client.example.net", timeout=60) as client,
            ):
                with pytest.raises(smtplib.SMTPDataError) as refused:
                    client.sendmail("a@example.net", "b@example.org", _HEAD + _GTUBE)
                client.rset()
                client.sendmail("a@example.net", "b@example.org", _HEAD + b"lottery\r\n")
                client.sendmail("", "b@example.org", _HEAD + b"minutes\r\n")
    assert refused.value.smtp_code == 550
    assert "Message refused: " in str(refused.value.smtp_error)
    marked, passed = (message_from_bytes(message.content) for message in sink.messages)
    assert marked.get_all("X-Spam-Flag") == ["YES"]
    assert marked["X-Gatepost-Action"] == "tag"
    assert "LOTTERY" in marked["X-Spam-Status"]
    assert passed.get_all("X-Spam-Flag") == ["NO"]
    assert passed["X-Gatepost-Action"] == "pass"
