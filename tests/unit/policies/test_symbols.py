from __future__ import annotations

import re
from dataclasses import replace

import pytest

from policies.loader import load_symbols
from policies.symbols import KIND_WORDS, SymbolSpec

# What checks put into the details of a finding.
DETAILS = {
    "address",
    "mailer",
    "client_ip",
    "domain",
    "helo",
    "host",
    "file",
    "name",
    "header",
    "zone",
    "selector",
    "check",
}

SPEC = SymbolSpec(
    "A", "the domain {domain} does not authorise {client_ip}", "d", "source", "", "", 1.0, "mail"
)


def test_sentence_places_are_filled() -> None:
    said = SPEC.sentence({"domain": "example.org", "client_ip": "192.0.2.1", "other": "x"})

    assert said == "the domain example.org does not authorise 192.0.2.1"


def test_sentence_missing_detail_reads_unknown() -> None:
    assert SPEC.sentence({}) == "the domain unknown does not authorise unknown"


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        pytest.param("a\r\n250 ok", "a??250 ok", id="line-break"),
        pytest.param("{txn_id}{0}", "?txn_id??0?", id="braces"),
        pytest.param("\x1b[31m\u202e", "?[31m?", id="escape-and-direction"),
        pytest.param("bücher.example", "bücher.example", id="letters-stay"),
        pytest.param("x" * 500, "x" * 120 + "...", id="long"),
    ],
)
def test_sentence_of_a_hostile_detail_is_harmless(detail: str, shown: str) -> None:
    spec = replace(SPEC, words="[{domain}]")

    assert spec.sentence({"domain": detail}) == f"[{shown}]"


def test_symbols_words_use_only_details_that_checks_give() -> None:
    used = {
        place for spec in load_symbols().values() for place in re.findall(r"\{(.*?)\}", spec.words)
    }

    assert used <= DETAILS


def test_symbols_that_can_refuse_have_words_for_the_sender() -> None:
    silent = [spec.name for spec in load_symbols().values() if spec.weight > 0 and not spec.words]

    assert silent == []


def test_symbols_that_learned_nothing_weigh_nothing() -> None:
    temporary = {spec.name: spec.weight for spec in load_symbols().values() if spec.temporary}

    assert set(temporary) == {
        "BACKSCATTER_TEMPERROR",
        "CHECK_ERROR",
        "CLASSIFIER_ERROR",
        "RULE_ERROR",
        "DKIM_TEMPERROR",
        "DMARC_TEMPERROR",
        "DNS_LIST_TEMPERROR",
        "GREYLIST_TEMPERROR",
        "IPREV_TEMPERROR",
        "RATE_TEMPERROR",
        "REPUTATION_TEMPERROR",
        "SPF_TEMPERROR",
    }
    assert set(temporary.values()) == {0}


@pytest.mark.parametrize(
    ("symbol", "enhanced"),
    [
        ("SPF_FAIL", "5.7.23"),
        ("SPF_PERMERROR", "5.7.24"),
        ("DKIM_FAIL", "5.7.20"),
        ("IPREV_MISSING", "5.7.25"),
        ("SENDER_NULL_MX", "5.7.27"),
        ("GTUBE", ""),
    ],
)
def test_symbols_have_the_codes_of_the_registry(symbol: str, enhanced: str) -> None:
    assert load_symbols()[symbol].enhanced == enhanced


def test_words_say_no_more_than_was_seen() -> None:
    words = {name: spec.words for name, spec in load_symbols().items()}

    # A comma in the name; mail that passes; SPF that fails; a name that leads elsewhere; a text
    # beside the HTML.
    assert "address" not in words["FROM_INVALID"]
    assert "accepted" not in KIND_WORDS["other"]
    assert "without SPF" not in words["BULK_NO_SPF"]
    assert "leads back" in words["BULK_NO_REVERSE_NAME"]
    assert "message consists" not in words["HTML_ONLY_PICTURES"]
