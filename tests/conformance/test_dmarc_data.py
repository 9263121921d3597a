"""Records and walks of other projects, where RFC 9989 still has them so.

Their tables were made for RFC 7489. What that refused and RFC 9989 takes has its section here.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from milter.auth.dmarc import Identifier, Walker, check_dmarc
from milter.auth.dmarc.record import Wish, parse_record
from milter.auth.results import Result
from milter.dns.fake import FakeResolver
from milter.message.document import Message
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


# --- evaluations of mox ---------------------------------------------------------------------------

CALL = re.compile(
    r'"(?P<author>[^"]+)", \[\]dkim\.Result\{(?P<dkim>.*?)\}, spf\.Status(?P<spf>\w+),'
    r' (?:nil|&dns\.Domain\{ASCII: "(?P<domain>[^"]+)"\}), \w+, Result\{(?P<said>.*)\}'
)
SIGNATURE = re.compile(r'dkim\.Status(\w+), .*?ASCII: "([^"]+)"')
STATUS = re.compile(r"\w+, Status(\w+),")
# §4.8: what is no tag costs itself alone, so there is a record, and it is p=none.
NOW_FAILS = "malformed.example"


def evaluations() -> list[Any]:
    calls = table("mox-dmarc_test.json").get("calls (Go argument lists, last arg = expected)", [])
    return [match for _, text in calls for match in CALL.finditer(text)]


def mox_zone() -> dict[str, object]:
    zone = table("mox-dmarc_test.json")["zone"]
    return {name.rstrip("."): {"TXT": texts} for name, texts in zone.items()}


def test_evaluations_are_found() -> None:
    assert len(evaluations()) == 15


@pytest.mark.parametrize("call", evaluations())
def test_evaluation_of_mox(call: re.Match[str]) -> None:
    identifiers = [Identifier("spf", call["domain"] or "", Result(call["spf"].lower()))]
    for status, domain in SIGNATURE.findall(call["dkim"]):
        identifiers.append(Identifier("dkim", domain, Result(status.lower())))
    status = STATUS.match(call["said"])
    assert status is not None
    expected = "fail" if call["author"] == NOW_FAILS else status[1].lower()

    result = asyncio.run(check_dmarc(call["author"], identifiers, Walker(FakeResolver(mox_zone()))))

    assert result.result.value == expected


# --- tables of OpenDMARC --------------------------------------------------------------------------

# Names with empty labels never reach alignment: RFC 9989 §4.4 compares domains, and these are none.
# Its table of top-level domains is one of the public suffix list, which §4.10 has no use for.
NO_DOMAINS = {".mac.com.", "....mac.com....", "mac...com"}


def opendmarc(name: str) -> list[Any]:
    rows: list[Any] = table("opendmarc-tables.json").get("tables", {}).get(name, [])
    return rows


def test_tables_are_found() -> None:
    assert len(opendmarc("test_alignment")) == 10
    assert len(opendmarc("test_finddomain")) == 13


@pytest.mark.parametrize(
    ("author", "domain", "mode", "outcome"),
    [row for row in opendmarc("test_alignment") if row[0] not in NO_DOMAINS],
)
def test_alignment_of_the_opendmarc_table(
    author: str, domain: str, mode: str, outcome: str
) -> None:
    strict = "; adkim=s" if mode.endswith("STRICT") else ""
    # Where that project asks its list of suffixes, RFC 9989 §4.10 asks the domains: they publish.
    published = ".".join(author.split(".")[-2:])
    names: dict[str, object] = {f"_dmarc.{published}": {"TXT": [f"v=DMARC1; p=reject{strict}"]}}
    identifiers = [Identifier("dkim", domain, Result.PASS)]

    result = asyncio.run(check_dmarc(author, identifiers, Walker(FakeResolver(names))))

    assert (result.result is Result.PASS) == (outcome == "0")


@pytest.mark.parametrize(("value", "domain"), opendmarc("test_finddomain"))
def test_author_domain_of_the_opendmarc_table(value: str, domain: str) -> None:
    message = Message(f"From: {value}\r\n\r\nx\r\n".encode())

    # RFC 9989 §11.5: each of several authors is judged; that project takes the first.
    assert message.author_domains[:1] == (domain,)
    assert len(message.author_domains) == value.count("@", value.rfind('"') + 1)
