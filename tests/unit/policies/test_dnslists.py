from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from policies.dnslists import ERROR, UNKNOWN, Asks, DnsList, Listed, NoListing, parse_code
from policies.loader import load_policies
from tests.unit.policies.policy_files import Files

if TYPE_CHECKING:
    from pathlib import Path

CODES = DnsList(
    "zen.example",
    (Asks.CLIENT_IP,),
    "block",
    codes={IPv4Address("127.0.0.2"): "ZEN_SPAM", IPv4Address("127.0.0.4"): "ZEN_BOT"},
)
BITS = DnsList(
    "multi.example", (Asks.CLIENT_IP,), "block", bits={2: "BLACK", 8: "RED", 64: "ABUSE"}
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("127.0.0.2", Listed(("ZEN_SPAM",)), id="a-code"),
        pytest.param("127.0.0.3", UNKNOWN, id="a-code-that-is-not-mapped"),
        pytest.param("127.0.1.2", UNKNOWN, id="a-code-of-another-list"),
        pytest.param("127.0.0.1", ERROR, id="blocked"),
        pytest.param("127.0.0.255", ERROR, id="blocked-resolver"),
        pytest.param("127.0.1.255", ERROR, id="asked-for-the-wrong-thing"),
        pytest.param("127.255.255.252", ERROR, id="wrong-name-of-the-list"),
        pytest.param("127.255.255.254", ERROR, id="open-resolver"),
        pytest.param("127.255.255.255", ERROR, id="too-many-queries"),
        pytest.param("127.255.255.2", ERROR, id="any-other-refusal"),
        pytest.param("192.0.2.1", ERROR, id="parked-zone"),
        pytest.param("0.0.0.0", ERROR, id="blocking-resolver"),
        pytest.param("::1", ERROR, id="no-ipv4-address"),
        pytest.param("", ERROR, id="no-address"),
    ],
)
def test_judge_code(address: str, expected: Listed | NoListing) -> None:
    assert CODES.judge(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("127.0.0.2", Listed(("BLACK",)), id="a-bit"),
        pytest.param("127.0.0.74", Listed(("BLACK", "RED", "ABUSE")), id="several-bits"),
        pytest.param("127.0.3.8", Listed(("RED",)), id="other-octets-are-ignored"),
        pytest.param("127.0.0.6", Listed(("BLACK",)), id="an-unmapped-bit-beside-it"),
        pytest.param("127.0.0.4", UNKNOWN, id="an-unmapped-bit"),
        pytest.param("127.0.0.0", UNKNOWN, id="no-bit"),
        pytest.param("127.0.0.1", ERROR, id="the-error-bit"),
        pytest.param("127.0.0.3", ERROR, id="the-error-bit-hides-the-others"),
        pytest.param("127.255.255.254", ERROR, id="a-refusal"),
        pytest.param("198.51.100.2", ERROR, id="parked-zone"),
    ],
)
def test_judge_bits(address: str, expected: Listed | NoListing) -> None:
    assert BITS.judge(address) == expected


def test_judge_no_answer_of_any_list_makes_a_refusal_a_listing() -> None:
    codes = {IPv4Address("127.0.0.0") + n: "X" for n in range(512)}
    everything = DnsList("all.example", (Asks.CLIENT_IP,), "block", codes=codes)

    refused = ["127.0.0.1", "127.0.0.255", "127.0.1.255", "127.255.255.254", "10.0.0.1"]

    assert {everything.judge(address) for address in refused} == {ERROR}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.2", ["127.0.0.2"]),
        ("127.0.0.10-11", ["127.0.0.10", "127.0.0.11"]),
        ("127.0.2.2-2", ["127.0.2.2"]),
    ],
)
def test_parse_code_gives_every_answer(text: str, expected: list[str]) -> None:
    assert [str(answer) for answer in parse_code(text)] == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "127.0.0.2-", "127.0.0.2-1", "127.0.0.2-256", "127.0.0.2-x", "127.0.0.2-127.0.0.3",
     "127.0.0.2-3-4", "127.0.0.02", "127.0.0.2-²", "127.0.0.2-" + "9" * 5000],
)  # fmt: skip
def test_parse_code_refuses_what_is_no_code(text: str) -> None:
    with pytest.raises(ValueError, match="written like"):
        parse_code(text)


def test_part_of_a_zone_stands_before_the_key() -> None:
    text = "version: 1\nname: x\ndns_lists: [{use: spamhaus-hbl-email-dqs, key_file: key}]"
    (found,) = load_policies(Files({"p.yaml": text, "key": "k3y"}), "p.yaml").plan.dns_lists

    assert (found.zone, found.query_zone) == (
        "_email.hbl.dq.spamhaus.net",
        "_email.k3y.hbl.dq.spamhaus.net",
    )


def test_dns_list_key_stands_in_the_query_and_nowhere_else() -> None:
    keyed = DnsList("dq.example", (Asks.CLIENT_IP,), "block", codes=CODES.codes, key="sEcReT")

    assert keyed.query_zone == "sEcReT.dq.example"
    assert "sEcReT" not in repr(keyed)


@pytest.mark.conformance
def test_judge_published_answers(shared_data: Path) -> None:
    facts = json.loads((shared_data / "conformance/dnsbl/dnsbl-facts.json").read_text())
    judged = {}
    for case in facts["cases"]:
        if isinstance(case.get("answer"), list):
            of_bits = case["zone"].startswith("multi.")
            dns_list = BITS if of_bits else CODES
            judged[case["expect"]] = [dns_list.judge(address) for address in case["answer"]]

    assert len(judged) >= 8
    for expected, answers in judged.items():
        if expected.startswith("listed"):
            assert isinstance(answers[0], Listed), expected
        if any(word in expected for word in ("error", "blocked", "ignored")):
            assert answers == [ERROR], expected
