"""Gatepost asked by a real Postfix over the milter protocol, from the client to the next server.

Mail goes through Postfix to a recording sink, so that what arrives can be compared byte for byte.
Client addresses are told to Postfix by XCLIENT. Names come from the samples' zone.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.debian import need_program
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_ports
from tests.support.postfix import Postfix, running_postfix
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.debian, pytest.mark.slow]

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SAMPLES: Final = _CHECKOUT / "samples"
_RECEIVED: Final = re.compile(rb"Received:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
_FIELD: Final = re.compile(rb"([!-9;-~]+):([^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)")
_REFERENCE: Final = re.compile(r"\([0-9A-Z]{12}\)$")
_POLICY: Final = """\
version: 1
name: site
extends: balanced
actions: {quarantine: {as: mark}}
patterns:
  - {id: PLEASE_HOLD, in: subject, match: 'please hold', class: content, kind: other,
     describe: Asks to be held, weight: 9}
  - {id: PLEASE_KEEP, in: subject, match: 'please mark', class: content, kind: other,
     describe: Asks to be marked, weight: 6}
overrides:
  - {match: {recipient: lenient@alias.example}, weights: {PLEASE_HOLD: 0}}
rules:
  - {id: FROM_DSL, when: 'connection.reverse_name.startsWith("dsl-")', weight: 0.1}
"""
# Nothing of it looks at a body.
_NO_BODY: Final = "version: 1\nname: senders\nheaders: none\nweights: {SPF_FAIL: 5}\n"


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that runs."""

    postfix: Postfix
    sink: MailboxSink
    daemon: Gatepost
    port: int
    old_port: int
    unread: Gatepost
    unread_port: int


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        port, old_port, unread_port, milter, unread = free_ports(5)
        daemon = stack.enter_context(_gatepost(milter, _POLICY))
        reads_nothing = stack.enter_context(_gatepost(unread, _NO_BODY))
        main = {
            "relayhost": f"[127.0.0.1]:{sink.port}",
            "relay_domains": "example.org",
            "virtual_alias_domains": "alias.example",
            "virtual_alias_maps": "inline:{lenient@alias.example=ada@example.org}",
            "smtpd_milters": f"inet:127.0.0.1:{milter}",
            "non_smtpd_milters": f"inet:127.0.0.1:{milter}",
            "milter_default_action": "tempfail",
        }
        services = [
            _smtpd(port),
            _smtpd(old_port, "-o milter_protocol=2"),
            _smtpd(unread_port, f"-o smtpd_milters=inet:127.0.0.1:{unread}"),
            _PICKUP,
        ]
        postfix = stack.enter_context(running_postfix(main, services))
        yield Site(postfix, sink, daemon, port, old_port, reads_nothing, unread_port)


_PICKUP: Final = "pickup unix n - n 60 1 pickup"


def _gatepost(port: int, policy: str) -> contextlib.AbstractContextManager[Gatepost]:
    config = configuration("127.0.0.1:1", policies="policy.yaml", dns={"zone_file": "zone.yaml"})
    config["listeners"] = [
        {
            "name": "inbound",
            "protocol": "milter",
            "bind": f"127.0.0.1:{port}",
            "hold_quarantined": True,
        }
    ]
    files = {"policy.yaml": policy, "zone.yaml": (_SAMPLES / "zone.yaml").read_text("utf-8")}
    return running_gatepost(config, files)


def _smtpd(port: int, *options: str) -> str:
    lines = (
        f"127.0.0.1:{port} inet n - n - - smtpd",
        "-o smtpd_authorized_xclient_hosts=127.0.0.0/8",
        "-o smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination",
        *options,
    )
    return "\n  ".join(lines)


def _sample(name: str) -> bytes:
    return (_SAMPLES / name).read_bytes().replace(b"\n", b"\r\n")


def _added(content: bytes, message: bytes) -> bytes:
    """Return what stands before `message`, which must be whole and at the end."""
    assert content.endswith(message)
    return content[: -len(message)]


def _value(fields: bytes, name: bytes) -> bytes:
    value: bytes = dict(_FIELD.findall(fields))[name]
    return value.strip()


CLEAN: Final = Envelope("192.0.2.140", "mx.lab.example", "lena@lab.example", ("ada@example.org",))
TESTER: Final = Envelope("2001:db8::60", "mx.testing.example", "postmaster@testing.example")
SHOP: Final = Envelope("198.51.100.40", "mail.shop.example", "offers@shop.example")


def test_milter_clean_message_arrives_byte_for_byte_with_our_fields_in_front(site: Site) -> None:
    message = _sample("first-report.eml")
    already = len(site.sink.messages)
    assert send_message(site.port, CLEAN, message).code == 250
    content = site.sink.wait_for(already + 1)[-1].content
    added = _added(content, message)
    names = [name for name, _ in _FIELD.findall(added)]
    assert _value(added, b"X-Gatepost-Action") == b"pass"
    assert b"spf=pass" in _value(added, b"Authentication-Results")
    assert sorted(names) == sorted(set(names))
    assert names.index(b"Authentication-Results") < names.index(b"X-Spam-Flag")


def test_milter_signed_message_passes_dkim(site: Site) -> None:
    message = _sample("shipping-notice.eml")
    already = len(site.sink.messages)
    assert send_message(site.port, CLEAN, message).code == 250
    added = _added(site.sink.wait_for(already + 1)[-1].content, message)
    assert b"dkim=pass" in _value(added, b"Authentication-Results")


def test_milter_gtube_is_refused_in_the_session_with_the_reason(site: Site) -> None:
    already = len(site.sink.messages)
    reply = send_message(site.port, TESTER, _sample("test-string.eml"))
    assert reply.code == 550
    assert reply.text.startswith("5.7.")
    assert _REFERENCE.search(reply.text)
    assert len(site.sink.messages) == already


def test_milter_tagged_message_arrives_with_its_mark(site: Site) -> None:
    message = _sample("listed-client.eml")
    already = len(site.sink.messages)
    assert send_message(site.port, SHOP, message).code == 250
    added = _added(site.sink.wait_for(already + 1)[-1].content, message)
    assert _value(added, b"X-Gatepost-Action") == b"tag"
    assert _value(added, b"X-Spam-Flag") == b"YES"


def test_milter_forged_fields_of_our_names_are_gone(site: Site) -> None:
    forged = (
        b"X-Spam-Flag: NO\r\nReceived: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        b"X-Gatepost-Action: pass\r\nX-Spam-Flag: NO\r\n"
        b"Authentication-Results: mx.example.org; spf=pass\r\n"
        b"Authentication-Results: other.example;\r\n\tspf=pass\r\n"
    )
    already = len(site.sink.messages)
    message = _sample("listed-client.eml")
    assert send_message(site.port, SHOP, forged + message).code == 250
    content = site.sink.wait_for(already + 1)[-1].content
    fields = _FIELD.findall(_added(content, message))
    assert [value.strip() for name, value in fields if name == b"X-Spam-Flag"] == [b"YES"]
    assert [value.strip() for name, value in fields if name == b"X-Gatepost-Action"] == [b"tag"]
    results = [value for name, value in fields if name == b"Authentication-Results"]
    assert len(results) == 2
    assert results[1] == b" other.example;\r\n\tspf=pass\r\n"


def test_milter_version_2_gives_the_same(site: Site) -> None:
    message = _sample("listed-client.eml")
    already = len(site.sink.messages)
    assert send_message(site.old_port, SHOP, message).code == 250
    added = _added(site.sink.wait_for(already + 1)[-1].content, message)
    assert _value(added, b"X-Gatepost-Action") == b"tag"


def test_milter_quarantined_message_waits_in_the_hold_queue(site: Site) -> None:
    message = _sample("first-report.eml").replace(b"Subject: ", b"Subject: please hold ")
    already = len(site.sink.messages)
    assert send_message(site.port, CLEAN, message).code == 250
    held = list((site.postfix.folder / "queue" / "hold").iterdir())
    assert len(held) == 1
    assert len(site.sink.messages) == already


def test_milter_reverse_name_that_postfix_found_is_there_for_rules(site: Site) -> None:
    address = "192.0.2.233"
    with smtplib.SMTP("127.0.0.1", site.port, timeout=60) as client:
        client.ehlo("mx.lab.example")
        # An address of which our own DNS knows no name.
        client.docmd("XCLIENT", f"ADDR={address} NAME=dsl-7.lab.example")
        client.sendmail("lena@lab.example", "ada@example.org", _sample("first-report.eml"))

    def lines() -> list[dict[str, Any]]:
        return [line for line in site.daemon.transactions if line["client_ip"] == address]

    wait_until(lambda: bool(lines()), lambda: site.daemon.log)
    assert "FROM_DSL" in lines()[0]["symbols"]


def test_milter_local_mail_is_judged_as_outbound(site: Site) -> None:
    program = need_program("postdrop")
    sendmail = program.root / "usr/sbin/sendmail"
    already = len(site.sink.messages)
    message = b"From: root@mail.example.org\nTo: ada@example.org\nSubject: cron\n\nDone.\n"
    subprocess.run(
        [sendmail, "-C", site.postfix.folder, "-f", "root@mail.example.org", "ada@example.org"],
        env={**program.environment, "MAIL_CONFIG": str(site.postfix.folder)},
        input=message,
        timeout=30,
        check=True,
    )
    content = site.sink.wait_for(already + 1)[-1].content
    assert b"X-Gatepost-Id:" in content
    assert b"X-Spam-Flag:" not in content


def test_milter_body_that_nobody_reads_is_cut_short_for_us_and_arrives_whole(site: Site) -> None:
    message = _sample("first-report.eml") + b"one line more\r\n" * 40_000
    already = len(site.sink.messages)
    with smtplib.SMTP("127.0.0.1", site.unread_port, timeout=60) as client:
        client.ehlo("mx.lab.example")
        # Not `sendmail`, which would announce the size.
        client.mail("lena@lab.example")
        client.rcpt("ada@example.org")
        assert client.data(message)[0] == 250
    assert site.sink.wait_for(already + 1)[-1].content.endswith(message)
    wait_until(lambda: bool(site.unread.transactions), lambda: site.unread.log)
    (line,) = site.unread.transactions
    assert 0 < line["size_bytes"] < len(message) / 2


def test_milter_recipient_of_a_virtual_alias_domain_has_a_policy(site: Site) -> None:
    # Of such a recipient Postfix says `{rcpt_mailer}` error, as of one that it refuses.
    envelope = replace(CLEAN, recipients=("lenient@alias.example",))
    message = _sample("first-report.eml").replace(b"Subject: ", b"Subject: please hold ")
    already = len(site.sink.messages)
    assert send_message(site.port, envelope, message).code == 250
    received = site.sink.wait_for(already + 1)[-1]
    assert received.rcpt_to[0].startswith(b"TO:<ada@example.org>")
    assert _value(_added(received.content, message), b"X-Gatepost-Action") == b"pass"
