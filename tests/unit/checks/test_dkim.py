from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from milter.auth.results import Result
from milter.checks.dkim import DkimCheck
from tests.support.checks import a_transaction, asked, symbols_of

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = b"From: a@example.org\r\nSubject: Hello\r\n\r\nwords\r\n"
NAME = "s1._domainkey.example.org"
CHECK = DkimCheck(lambda: 1_800_000_000.0)


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def signed(
    message: bytes = PLAIN, *, length: bool = False, domain: bytes = b"example.org"
) -> bytes:
    pem = key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    field: bytes = dkim.sign(
        message, b"s1", domain, pem, include_headers=[b"from", b"subject"], length=length
    )
    return field + message


def zone(flags: str = "") -> dict[str, object]:
    public = (
        key()
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    record = f"v=DKIM1; k=rsa; {flags}p={base64.b64encode(public).decode()}"
    return {NAME: {"TXT": [record]}}


def test_key_on_silent_name_servers_hides_no_other_signature() -> None:
    message = signed(signed(), domain=b"slow.example")
    names = {**zone(), "s1._domainkey.slow.example": "silence"}
    check = DkimCheck(lambda: 1_800_000_000.0, wait_s=0.02)

    evidence = asked(check, a_transaction(), names, message)

    assert symbols_of(evidence) == ["DKIM_TEMPERROR", "DKIM_PASS"]


@pytest.mark.parametrize(
    ("message", "names", "symbols"),
    [
        pytest.param(signed, zone, ["DKIM_PASS"], id="intact"),
        pytest.param(lambda: signed() + b"more\r\n", zone, ["DKIM_FAIL"], id="body-changed"),
        pytest.param(lambda: PLAIN, zone, ["DKIM_NONE"], id="unsigned"),
        pytest.param(signed, lambda: {NAME: "timeout"}, ["DKIM_TEMPERROR"], id="no-answer"),
        pytest.param(signed, dict, ["DKIM_PERMERROR"], id="no-key"),
        pytest.param(
            lambda: signed(length=True) + b"more\r\n", zone, ["DKIM_WEAK"], id="text-appended"
        ),
        pytest.param(
            lambda: signed().replace(b"rsa-sha256", b"rsa-sha1"), zone, ["DKIM_WEAK"], id="rsa-sha1"
        ),
        pytest.param(
            lambda: signed() + b"more\r\n", lambda: zone("t=y; "), [], id="broken-while-testing"
        ),
        pytest.param(
            lambda: signed(b"DKIM-Signature: rubbish\r\n" + PLAIN),
            zone,
            ["DKIM_PASS", "DKIM_PERMERROR"],
            id="rubbish-beside-a-good-one",
        ),
    ],
)
def test_dkim_symbol_fits_the_signature(
    message: Callable[[], bytes], names: Callable[[], dict[str, object]], symbols: list[str]
) -> None:
    evidence = asked(CHECK, a_transaction(), names(), message())
    assert symbols_of(evidence) == symbols


def test_dkim_broken_signature_beside_a_good_one_of_the_domain_is_not_held_against_it() -> None:
    broken = signed(PLAIN.replace(b"words", b"other"))[: -len(PLAIN)]
    evidence = asked(CHECK, a_transaction(), zone(), broken + signed())
    assert symbols_of(evidence) == ["DKIM_PASS"]
    assert [result.result for result in evidence.auth] == [Result.FAIL, Result.PASS]


def test_dkim_results_name_domain_selector_and_algorithm() -> None:
    evidence = asked(CHECK, a_transaction(), zone(), signed())
    properties = dict(evidence.auth[0].properties)
    assert (properties["header.d"], properties["header.s"]) == ("example.org", "s1")
    assert properties["header.a"] == "rsa-sha256"
    assert len(properties["header.b"]) == 8
    assert evidence.facts["dkim"] == [{"result": "pass", "domain": "example.org", "selector": "s1"}]


def test_dkim_unsigned_message_asks_nothing_and_is_none() -> None:
    evidence = asked(CHECK, a_transaction(), {}, PLAIN)
    assert [(result.method, result.result) for result in evidence.auth] == [("dkim", Result.NONE)]
    assert evidence.facts == {"dkim": []}
