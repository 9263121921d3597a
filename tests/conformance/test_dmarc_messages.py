"""Messages of other projects' DMARC tests, over zones of ours, through SPF, DKIM and DMARC.

The zones say what those projects' live domains said, or what their tests answered; the verdicts are
those of RFC 9989, and where it differs from what the messages were made for, its section is named.
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from milter.checks.dkim import DkimCheck
from milter.checks.dmarc import DmarcCheck
from milter.checks.spf import SpfCheck
from milter.core.address import parse_mailbox
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver
from milter.message.lines import with_crlf
from milter.pipeline.offline import Envelope, judge
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from tests.support.third_party import SHARED
from tests.unit.policies.policy_files import policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.facts import FactValue

DATA: Final = SHARED / "conformance/dmarc"
SPAMASSASSIN, AUTHHEADERS = DATA / "spamassassin-messages", DATA / "authheaders-messages"

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not AUTHHEADERS.exists(), reason=f"no DMARC messages at {AUTHHEADERS}"),
]

NOW: Final = 1_650_000_000.0


def dmarc_of(
    message: bytes, zone: Mapping[str, object], mail_from: str = "", client_ip: str | None = None
) -> Mapping[str, FactValue]:
    """Return the fact dmarc of `message`; empty where DMARC has nothing to say."""
    checks = (SpfCheck("mx.example.net"), DkimCheck(lambda: NOW), DmarcCheck())
    pipeline = Pipeline(
        checks=checks,
        policies=policies("default_weights: true"),
        resolver=FakeResolver(zone),
        identity=Identity("mx.example.net", "mx.example.net"),
        budget_s=20.0,
    )
    envelope = Envelope(
        client_ip=ip_address(client_ip) if client_ip else None,
        helo_name="relay.example.net",
        mail_from=parse_mailbox(mail_from),
        mail_from_known=bool(mail_from),
    )
    judged = asyncio.run(
        judge(pipeline, with_crlf(message), envelope, TxnId("TXN"), SessionId("SESSION"))
    )
    fact = judged.judgement.evidence.facts.get("dmarc", {})
    assert isinstance(fact, dict)
    return fact


# --- SpamAssassin: four domains, sent by their own server and by others -------------------------

RECEIVED: Final = re.compile(rb"\[(?:IPv6:)?([0-9a-fA-F.:]+)\]")
RETURN_PATH: Final = re.compile(rb"Return-Path: <([^>]+)>")
SA_DOMAIN: Final = "spamassassin.org"
SA_ZONE: Final[Mapping[str, object]] = {
    **{
        f"dmarc{number}.{SA_DOMAIN}": {"TXT": ["v=spf1 ip4:64.142.3.173 -all"]}
        for number in (1, 2, 3, 4)
    },
    f"_dmarc.dmarc1.{SA_DOMAIN}": {"TXT": ["v=DMARC1; p=none"]},
    f"_dmarc.dmarc2.{SA_DOMAIN}": {"TXT": ["v=DMARC1; p=quarantine"]},
    f"_dmarc.dmarc3.{SA_DOMAIN}": {"TXT": ["v=DMARC1; p=reject"]},
    f"_dmarc.dmarc4.{SA_DOMAIN}": {"TXT": ["v=DMARC1; p=reject; adkim=s; aspf=s"]},
}


@pytest.mark.parametrize(
    ("name", "result", "policy"),
    [
        ("nice/dmarc/noneok.eml", "pass", "none"),
        ("nice/dmarc/quarok.eml", "pass", "quarantine"),
        ("nice/dmarc/rejectok.eml", "pass", "reject"),
        ("nice/dmarc/strictrejectok.eml", "pass", "reject"),
        ("spam/dmarc/noneko.eml", "fail", "none"),
        ("spam/dmarc/quarko.eml", "fail", "quarantine"),
        ("spam/dmarc/rejectko.eml", "fail", "reject"),
        ("spam/dmarc/strictrejectko.eml", "fail", "reject"),
        ("spam/dmarc/nodmarc.eml", "none", ""),
    ],
)
def test_message_of_spamassassin(name: str, result: str, policy: str) -> None:
    message = (SPAMASSASSIN / name).read_bytes()
    client, path = RECEIVED.search(message), RETURN_PATH.search(message)
    assert client is not None
    assert path is not None

    fact = dmarc_of(message, SA_ZONE, path[1].decode(), client[1].decode())

    assert (fact["result"], fact["policy"]) == (result, policy)


def test_every_message_of_spamassassin_is_judged() -> None:
    assert len(list(SPAMASSASSIN.rglob("*.eml"))) == 9


# --- authheaders: From fields, inherited policies, names that do not exist -----------------------

KEY: Final = AUTHHEADERS / "test.txt"


def zone() -> Mapping[str, object]:
    return {
        "test._domainkey.example.com": {"TXT": [KEY.read_text().strip()]},
        "_dmarc.example.com": {"TXT": ["v=DMARC1; p=none"]},
        "_dmarc.bad.example.com": {"TXT": ["v=DMARC1; p=strange"]},
        "_dmarc.example.net": {"TXT": ["v=DMARC1; p=none; sp=reject"]},
        "sub.example.net": {"A": ["192.0.2.1"]},
        "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
        "_dmarc.nop.example.org": {"TXT": ["v=DMARC1; rua=mailto:dmarc@example.org"]},
        "_dmarc.example.biz": {"TXT": ["v=DMARC1; p=none; sp=quarantine; np=reject"]},
        "sub.example.biz": {"A": ["192.0.2.1"]},
        "test._domainkey.example.biz": {"TXT": [KEY.read_text().strip()]},
        "_dmarc.gov": {"TXT": ["v=DMARC1; psd=y; p=reject; sp=quarantine; np=reject"]},
        "example.gov": {"A": ["192.0.2.1"]},
    }


@pytest.mark.parametrize(
    ("name", "result", "policy", "record"),
    [
        pytest.param("test.message", "fail", "none", "example.com", id="unsigned"),
        pytest.param("test.message_signed", "pass", "none", "example.com", id="signed"),
        pytest.param("testcomma.message", "pass", "none", "example.com", id="comma-in-a-name"),
        # §4.4.1: a signature of another organisation aligns with nothing.
        pytest.param("test.message_sub", "fail", "reject", "example.net", id="inherited-sp"),
        # §4.7: sp for a name that exists, np for one that does not; §4.10.2: the signature of the
        # organizational domain is aligned, but it was made for another message.
        pytest.param("test.message_np1", "fail", "quarantine", "example.biz", id="exists"),
        pytest.param("test.message_np2", "fail", "reject", "example.biz", id="does-not-exist"),
        # §4.7: a record without p is p=none; there is nothing of RFC 7489's refusal left.
        pytest.param("test_nop.message", "fail", "none", "nop.example.org", id="no-p"),
        # §4.10.1: an invalid p, and nobody to report it to.
        pytest.param("test.bad.message", "permerror", "none", "bad.example.com", id="bad-p"),
        # §4.8: the public suffix publishes for the names below it that publish nothing.
        pytest.param("test.gov.message", "fail", "quarantine", "gov", id="public-suffix"),
        # §11.5: each of several authors is judged; the one that is worst off decides.
        pytest.param("test.message_multi", "fail", "reject", "example.org", id="two-domains"),
        pytest.param(
            "test.message_multi2", "fail", "reject", "example.org", id="two-domains-turned"
        ),
    ],
)
def test_message_of_authheaders(name: str, result: str, policy: str, record: str) -> None:
    fact = dmarc_of((AUTHHEADERS / name).read_bytes(), zone(), "a@relay.example", "203.0.113.9")

    assert (fact["result"], fact["policy"], fact["record_domain"]) == (result, policy, record)


def test_message_without_a_domain_in_from_has_no_dmarc() -> None:
    """RFC 9989 §5.3.1: what has no author domain is not evaluated."""
    message = (AUTHHEADERS / "test.nofrom.message").read_bytes()

    assert dmarc_of(message, zone(), "a@relay.example", "203.0.113.9") == {}
