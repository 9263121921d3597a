"""Gatepost asked by a real Sendmail over the milter protocol, from the client to the next server.

Sendmail writes fields of a message anew when it sends it on. So the same Sendmail listens on a
second port, where it asks nobody: what arrives by the two ways differs by what Gatepost did.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, Received, running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_ports
from tests.support.sendmail import Sendmail, daemon_line, filter_line, running_sendmail
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.debian, pytest.mark.slow]

_SAMPLES: Final = Path(__file__).resolve().parents[2] / "samples"
_FIELD: Final = re.compile(rb"^([!-9;-~]+):([^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)", re.MULTILINE)
_REFERENCE: Final = re.compile(r"\([0-9A-Z]{12}\)$")
_OURS: Final = re.compile(rb"Authentication-Results|X-Spam-\w+|X-Gatepost-\w+")
_TRANSPORT: Final = re.compile(rb"Received|X-Gatepost-Id|Message-Id|Message-ID")
_POLICY: Final = """\
version: 1
name: site
extends: balanced
actions: {quarantine: {as: mark}, tag: {subject_prefix: "[spam] ", force: true}}
patterns:
  - {id: PLEASE_HOLD, in: subject, match: 'please hold', class: content, kind: other,
     describe: Asks to be held, weight: 9}
  - {id: PLEASE_MARK, in: subject, match: 'please mark', class: content, kind: other,
     describe: Asks to be marked, weight: 6}
overrides:
  - {match: {recipient: apart@example.org}, thresholds: {reject: 20}}
  - {match: {recipient: elsewhere@example.org},
     actions: {quarantine: {as: redirect, to: held@example.org}}}
"""
_FROM_NOBODY: Final = Envelope(mail_from="lena@lab.example", recipients=("ada@example.org",))


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that runs.

    Attributes:
        sendmail: The mail server.
        sink: Where its mail goes.
        daemon: Gatepost.
        port: Of the mail server, where it asks Gatepost.
        plain_port: Where it asks nobody.
        submission_port: Where it asks as the daemon `SUBMISSION`.
    """

    sendmail: Sendmail
    sink: MailboxSink
    daemon: Gatepost
    port: int
    plain_port: int
    submission_port: int

    def sent(self, message: bytes, envelope: Envelope = _FROM_NOBODY) -> Received:
        """Return what arrives of a message that is taken."""
        already = len(self.sink.messages)
        reply = send_message(self.port, envelope, message)
        assert reply.code == 250, reply
        return self.sink.wait_for(already + 1)[-1]

    def sent_plain(self, message: bytes) -> bytes:
        """Return what arrives of a message that Gatepost never sees."""
        already = len(self.sink.messages)
        assert send_message(self.plain_port, _FROM_NOBODY, message).code == 250
        return self.sink.wait_for(already + 1)[-1].content


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        *ports, milter = free_ports(4)
        port, plain_port, submission_port = ports
        daemon = stack.enter_context(_gatepost(milter))
        lines = [
            filter_line(milter),
            daemon_line(port),
            daemon_line(plain_port, filters="", name="PLAIN"),
            daemon_line(submission_port, name="SUBMISSION"),
        ]
        sendmail = stack.enter_context(running_sendmail(sink.port, ports, lines))
        yield Site(sendmail, sink, daemon, port, plain_port, submission_port)


def _gatepost(port: int) -> contextlib.AbstractContextManager[Gatepost]:
    config: dict[str, Any] = configuration(
        "127.0.0.1:1", policies="policy.yaml", dns={"zone_file": "zone.yaml"}
    )
    config["listeners"] = [
        {
            "name": "inbound",
            "protocol": "milter",
            "bind": f"127.0.0.1:{port}",
            "hold_quarantined": True,
            "daemon_directions": {"SUBMISSION": "outbound"},
        }
    ]
    files = {"policy.yaml": _POLICY, "zone.yaml": (_SAMPLES / "zone.yaml").read_text("utf-8")}
    return running_gatepost(config, files)


def _sample(name: str, subject: bytes = b"") -> bytes:
    message = (_SAMPLES / name).read_bytes().replace(b"\n", b"\r\n")
    return message.replace(b"Subject: ", b"Subject: " + subject, 1)


def _fields(content: bytes) -> list[tuple[bytes, bytes]]:
    """Return the header fields but for those that tell of the way."""
    header = content[: content.index(b"\r\n\r\n") + 2]
    return [(n, v) for n, v in _FIELD.findall(header) if not _TRANSPORT.fullmatch(n)]


def _body(content: bytes) -> bytes:
    return content[content.index(b"\r\n\r\n") :]


def _value(content: bytes, name: bytes) -> bytes:
    (value,) = [value for found, value in _fields(content) if found == name]
    return bytes(value.strip())


def test_sendmail_clean_message_arrives_as_without_us_but_for_our_fields(site: Site) -> None:
    message = _sample("first-report.eml")

    arrived, plain = site.sent(message).content, site.sent_plain(message)

    names = [name for name, _ in _fields(arrived)]
    foreign = [field for field in _fields(arrived) if not _OURS.fullmatch(field[0])]
    assert foreign == _fields(plain)
    assert _body(arrived) == _body(plain)
    assert _value(arrived, b"X-Gatepost-Action") == b"pass"
    # On top, in the order in which the other doors have them.
    assert names[0] == b"Authentication-Results"
    assert names.index(b"X-Spam-Flag") < names.index(b"X-Gatepost-Action")
    assert Counter(names).most_common(1)[0][1] == 1
    # One space before a value, neither none nor two; X-Spam-Level has none for a score of 0.
    odd = [field for field in _fields(arrived) if not re.match(rb" [^ ]|\r\n$", field[1])]
    assert odd == []


def test_sendmail_signed_message_passes_dkim(site: Site) -> None:
    arrived = site.sent(_sample("shipping-notice.eml")).content
    results = _value(arrived, b"Authentication-Results")
    assert b"dkim=pass" in results
    # Folded as the other doors fold it: with one space or tab, and nothing doubled.
    assert b"\r\n\t" in results or b"\r\n " in results


def test_sendmail_gtube_is_refused_in_the_session_with_the_reason(site: Site) -> None:
    already = len(site.sink.messages)
    reply = send_message(site.port, _FROM_NOBODY, _sample("test-string.eml"))
    assert reply.code == 550
    assert reply.text.startswith("5.7.")
    assert _REFERENCE.search(reply.text)
    assert len(site.sink.messages) == already


def test_sendmail_forged_fields_of_our_names_are_gone(site: Site) -> None:
    forged = (
        b"X-Spam-Flag: NO\r\nX-Gatepost-Action: pass\r\nX-Spam-Flag:\r\n NO\r\n"
        b"Authentication-Results: mx.example.org; spf=pass\r\n"
        b"Authentication-Results: other.example;\r\n\tspf=pass\r\n"
    )
    arrived = site.sent(forged + _sample("first-report.eml", b"please mark ")).content
    assert _value(arrived, b"X-Spam-Flag") == b"YES"
    assert _value(arrived, b"X-Gatepost-Action") == b"tag"
    results = [value for name, value in _fields(arrived) if name == b"Authentication-Results"]
    assert len(results) == 2
    assert results[1] == b" other.example;\r\n\tspf=pass\r\n"


def test_sendmail_subject_gets_its_prefix_where_it_stood(site: Site) -> None:
    message = _sample("first-report.eml", b"please mark ")
    arrived, plain = site.sent(message).content, site.sent_plain(message)
    foreign = [name for name, _ in _fields(arrived) if not _OURS.fullmatch(name)]
    assert foreign == [name for name, _ in _fields(plain)]
    assert _value(arrived, b"Subject") == b"[spam] " + _value(plain, b"Subject")


def test_sendmail_quarantined_message_waits_in_its_queue(site: Site) -> None:
    already = len(site.sink.messages)
    message = _sample("first-report.eml", b"please hold ")
    assert send_message(site.port, _FROM_NOBODY, message).code == 250
    (held,) = site.sendmail.queued("hf")
    # `q` and the reason (doc/op of Sendmail, the queue).
    assert re.search(r"^q.*\([0-9A-Z]{12}\)$", held, re.MULTILINE)
    assert len(site.sink.messages) == already


def test_sendmail_recipient_under_another_policy_comes_again_by_itself(site: Site) -> None:
    both = Envelope(mail_from="lena@lab.example", recipients=("apart@example.org",))
    first = Envelope("", both.helo, both.mail_from, ("ada@example.org", "apart@example.org"))
    reply = send_message(site.port, first, _sample("first-report.eml"))
    assert (reply.code, reply.text[:5]) == (452, "4.5.3")
    arrived = site.sent(_sample("first-report.eml"), both)
    assert arrived.rcpt_to == (b"To:<apart@example.org>",)


def test_sendmail_redirected_message_goes_to_the_other_address_alone(site: Site) -> None:
    envelope = Envelope(mail_from="lena@lab.example", recipients=("elsewhere@example.org",))
    arrived = site.sent(_sample("first-report.eml", b"please hold "), envelope)
    assert arrived.rcpt_to == (b"To:<held@example.org>",)
    assert _value(arrived.content, b"X-Gatepost-Recipients") == b"elsewhere@example.org"


def test_sendmail_tells_its_queue_id_and_its_client(site: Site) -> None:
    already = len(site.daemon.transactions)
    site.sent(_sample("first-report.eml"))
    # Lines are written some at a time, so that one of an earlier message may come first.
    wait_until(lambda: len(site.daemon.transactions) > already, lambda: site.daemon.log)
    line = site.daemon.transactions[-1]
    assert re.fullmatch(r"[0-9A-Za-z]{14,}", line["queue_id"])
    assert (line["client_ip"], line["helo_name"]) == ("127.0.0.1", _FROM_NOBODY.helo)


def test_sendmail_daemon_that_is_named_sends_outbound(site: Site) -> None:
    already = len(site.sink.messages)
    message = _sample("first-report.eml")
    assert send_message(site.submission_port, _FROM_NOBODY, message).code == 250
    arrived = site.sink.wait_for(already + 1)[-1].content
    assert [name for name, _ in _fields(arrived) if _OURS.fullmatch(name)] == []
    assert arrived.startswith(b"X-Gatepost-Id: ")
