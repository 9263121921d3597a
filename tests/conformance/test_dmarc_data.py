"""Records and walks of other projects, where RFC 9989 still has them so.

Their tables were made for RFC 7489. What that refused and RFC 9989 takes has its section here.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from milter.auth.dmarc import Walker, check_dmarc
from milter.auth.dmarc.record import Wish, parse_record
from milter.dns.fake import FakeResolver
from tests.support.third_party import SHARED

DATA = SHARED / "conformance/dmarc"

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not DATA.exists(), reason=f"no DMARC test data at {DATA}"),
]

# §4.8: a mistake in a tag other than p, sp and np costs that tag alone; ri, rf and pct are no tags
# any more, and unknown tags are ignored (§4.7).
TAKEN_PREFIXES = ("adkim=", "aspf=", "ri=", "fo=", "rf=", "pct=", "rua=")
TAKEN = {
    "v=DMARC1",  # §4.8: the version alone is a record; §4.7: no p is p=none
    "v=DMARC1;",
    "v=DMARC1;;",
    "v=DMARC1; sp=reject; p=reject",  # §4.7: tags stand in any order behind v
    "v=DMARC1; pct=100;",
}


def table(name: str) -> Any:
    path = DATA / name
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def is_taken(text: str) -> bool:
    """Tell whether RFC 9989 takes what RFC 7489 refused."""
    tags = text.removeprefix("v=DMARC1; ").removeprefix("p=none; ")
    return text in TAKEN or tags.startswith(TAKEN_PREFIXES)


@pytest.mark.parametrize(
    "text", [row["record"] for row in table("mox-record-parse.json").get("bad", [])]
)
def test_bad_record_asks_for_nothing(text: str) -> None:
    record = parse_record(text.encode())

    if is_taken(text):
        assert record is not None
        assert record.broken == ""
    else:
        assert record is None or record.broken


@pytest.mark.parametrize(
    "text", [row["record"] for row in table("mox-record-parse.json").get("valid", [])]
)
def test_valid_record_is_whole(text: str) -> None:
    record = parse_record(text.encode())

    assert record is not None
    assert record.broken == ""
    assert record.reports_to


@pytest.mark.parametrize(
    ("text", "outcome"),
    table("opendmarc-tables.json").get("tables", {}).get("test_dmarc_parse", []),
)
def test_record_of_the_opendmarc_table(text: str, outcome: str) -> None:
    record = parse_record(text.encode())

    good = record is not None and not record.broken
    # §4.7: `n` is no value of p; abbreviations are leniency of that project.
    expected = outcome == "DMARC_PARSE_OKAY" and text != "v=DMARC1; p=n;"
    assert good == (expected or is_taken(text))


def lookups() -> list[Any]:
    """Return the cases that look up a record and say what its p is, or that there is none."""
    found = []
    for case in table("mailauth-get-dmarc-record-test.json").get("cases", []):
        for call in case["calls"]:
            said = [a for a in case["assert"] if a.get("path") in (call["id"], f"{call['id']}.p")]
            policy = next((a["value"] for a in said if a["path"].endswith(".p")), None)
            none = any(a["op"] == "false" for a in said)
            if policy or none:
                found.append(pytest.param(call, policy, id=f"{case['title']}-{call['id']}"))
    return found


def test_lookups_are_found() -> None:
    assert len(lookups()) >= 15


@pytest.mark.parametrize(("call", "policy"), lookups())
def test_lookup_finds_the_record(call: Any, policy: str | None) -> None:
    zone = {
        name: {rrtype: [[*strings] for strings in records] for rrtype, records in types.items()}
        for name, types in call["dns"].items()
        if set(types) == {"TXT"}
    }

    result = asyncio.run(check_dmarc(call["args"][0], (), Walker(FakeResolver(zone))))

    if policy is None:
        assert (result.result.value, result.record_domain) == ("none", "")
    else:
        assert result.published is Wish(policy)
