"""The other records that a domain publishes for mail, each with a grade and advice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.auth.diagnose.report import Grade, Item, unanswered
from milter.auth.dkim.key import Key, read_key
from milter.auth.dmarc import Walker, check_dmarc
from milter.auth.iprev import check_iprev
from milter.auth.results import Result
from milter.auth.story import without_key
from milter.dns.resolver import Outcome

if TYPE_CHECKING:
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Answer, Resolver

_GOOD_KEY_BITS: Final = 2048
_MAX_HOSTS: Final = 10
_FINE: Final = "Nothing is to be done."
# RFC 8461 §3.1: an id of up to 32 letters and digits.
_STS_ID: Final = re.compile(rb"id=[A-Za-z0-9]{1,32}")
# RFC 8460 §3: where reports go, one or several.
_TLS_RUA: Final = re.compile(rb"rua=(?:mailto:|https:)[^;]+")


async def diagnose_dkim(domain: str, selector: str, resolver: Resolver) -> Item:
    """Return how the key of `selector` stands (RFC 6376 §3.6)."""
    topic = f"DKIM of {selector}"
    answer = await resolver.resolve(f"{selector}._domainkey.{domain}", "TXT")
    if answer.outcome.temporary:
        return unanswered(topic, f"{answer.outcome.value} for the key")
    found = tuple(_shown(text) for text in _texts(answer))
    ed25519 = any(b"k=ed25519" in text.replace(b" ", b"") for text in _texts(answer))
    key = read_key(answer, "ed25519-sha256" if ed25519 else "rsa-sha256")
    if not isinstance(key, Key):
        advice = (
            "Signatures of this selector cannot pass: publish the key that your server signs with."
        )
        return Item(topic, Grade.PROBLEM, (*found, key.reason), advice)
    found = (*found, f"{'Ed25519' if ed25519 else 'RSA'}, {key.bits} bits")
    if key.testing:
        advice = "t=y says that you only try DKIM out: remove it when signing works."
        return Item(topic, Grade.NOTE, found, advice)
    if not ed25519 and key.bits < _GOOD_KEY_BITS:
        advice = "Take a key of 2048 bits; large receivers distrust shorter ones."
        return Item(topic, Grade.NOTE, found, advice)
    return Item(topic, Grade.GOOD, found, _FINE)


async def diagnose_dmarc(domain: str, resolver: Resolver) -> Item:
    """Return how the DMARC policy that holds for `domain` stands."""
    said = await check_dmarc(domain, (), Walker(resolver))
    found = tuple(f"{asked.name}: {asked.said}" for asked in said.asked)
    if said.result is Result.TEMPERROR:
        return unanswered("DMARC", said.reason)
    if said.result is Result.NONE:
        advice = (
            "Publish `v=DMARC1; p=none; rua=mailto:...` at _dmarc, read the reports, then ask for"
            " quarantine. Large receivers want a record from whoever sends much."
        )
        return Item("DMARC", Grade.PROBLEM, (*found, "no record"), advice)
    if said.result is Result.PERMERROR:
        advice = "Receivers cannot apply this record; mend what is named above."
        return Item("DMARC", Grade.PROBLEM, (*found, said.reason), advice)
    found = (*found, f"asks for {said.wish.value}, by the record of {said.record_domain}")
    if said.wish.value == "none":
        advice = "It only watches: when the reports show your own mail passing, ask for quarantine."
        return Item("DMARC", Grade.NOTE, found, advice)
    return Item("DMARC", Grade.GOOD, found, _FINE)


async def diagnose_mx(domain: str, resolver: Resolver) -> Item:
    """Return where mail to `domain` goes (RFC 5321 §5.1, RFC 7505 §3)."""
    answer = await resolver.resolve(domain, "MX")
    if answer.outcome.temporary:
        return unanswered("MX", f"{answer.outcome.value} for MX of {domain}")
    names = [str(record[-1]) for record in sorted(answer.records, key=lambda mx: mx[0])]
    if names in ([""], ["."]):
        advice = "The domain takes no mail (null MX). Then it should send none: `v=spf1 -all`."
        return Item("MX", Grade.NOTE, ("null MX",), advice)
    if not names:
        if await _addresses(domain, resolver):
            advice = "Mail goes to the address of the domain itself; publish an MX to say so."
            return Item("MX", Grade.NOTE, ("no MX, an address",), advice)
        advice = "Nobody can answer mail of this domain, and many refuse it: publish an MX."
        return Item("MX", Grade.PROBLEM, ("no MX and no address",), advice)
    found, lost = [], []
    for name in names[:_MAX_HOSTS]:
        addresses = await _addresses(name, resolver)
        found.append(f"{name}: {', '.join(addresses) or 'no address'}")
        lost += [] if addresses else [name]
    if lost:
        advice = f"{', '.join(lost)} cannot be reached: give it an address or take it out."
        return Item("MX", Grade.PROBLEM, tuple(found), advice)
    return Item("MX", Grade.GOOD, tuple(found), _FINE)


async def diagnose_reverse(ip: IpAddress, resolver: Resolver) -> Item:
    """Return how the reverse name of `ip` stands."""
    topic, said = f"reverse DNS of {ip}", await check_iprev(ip, resolver)
    if said.result is Result.TEMPERROR:
        return unanswered(topic, said.reason)
    if said.result is Result.PASS:
        return Item(topic, Grade.GOOD, (f"{said.name}, which leads back",), _FINE)
    advice = (
        "Have the owner of the network give the address a name, and that name the address; many"
        " refuse mail without it."
    )
    return Item(topic, Grade.PROBLEM, (said.reason,), advice)


async def diagnose_mta_sts(domain: str, resolver: Resolver) -> Item:
    """Return whether senders are told to insist on TLS (RFC 8461 §3.1)."""
    return await _one_text(
        ("MTA-STS", f"_mta-sts.{domain}", b"v=STSv1", _STS_ID),
        resolver,
        missing="Optional. With it and its policy file, senders insist on TLS towards your MX.",
        good="The record is right. The policy behind HTTPS was not fetched; look at it, too.",
    )


async def diagnose_tls_rpt(domain: str, resolver: Resolver) -> Item:
    """Return whether senders are told where to report failing TLS (RFC 8460 §3)."""
    return await _one_text(
        ("TLS-RPT", f"_smtp._tls.{domain}", b"v=TLSRPTv1", _TLS_RUA),
        resolver,
        missing="Optional. With it you learn which senders cannot reach you over TLS.",
        good=_FINE,
    )


async def _one_text(
    what: tuple[str, str, bytes, re.Pattern[bytes]], resolver: Resolver, *, missing: str, good: str
) -> Item:
    topic, name, version, needed = what
    answer = await resolver.resolve(name, "TXT")
    if answer.outcome.temporary:
        return unanswered(topic, f"{answer.outcome.value} for TXT of {name}")
    texts = [text for text in _texts(answer) if text.startswith(version)]
    found = tuple(_shown(text) for text in texts) or ("no record",)
    if not texts:
        return Item(topic, Grade.NOTE, found, missing)
    first, *fields = [field.strip() for field in texts[0].split(b";")]
    right = first == version and any(needed.fullmatch(field) for field in fields)
    if len(texts) > 1 or not right:
        advice = f"Senders ignore it: {name} needs one record, in the form of its RFC."
        return Item(topic, Grade.PROBLEM, found, advice)
    return Item(topic, Grade.GOOD, found, good)


async def _addresses(name: str, resolver: Resolver) -> list[str]:
    answers = [await resolver.resolve(name, "A"), await resolver.resolve(name, "AAAA")]
    return [str(record) for answer in answers for record in answer.records]


def _texts(answer: Answer) -> list[bytes]:
    if answer.outcome is not Outcome.ANSWER:
        return []
    records = [record for record in answer.records if isinstance(record, tuple)]
    return [b"".join(part for part in record if isinstance(part, bytes)) for record in records]


def _shown(text: bytes) -> str:
    return without_key(text.decode("utf-8", "backslashreplace"))
