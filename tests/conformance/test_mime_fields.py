"""Header fields next to the tables of Stalwart's parser.

Rows that we read otherwise stand here by their number, with the reason. The tables of message ids
and of lists are of fields that nothing here takes apart.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any

import pytest

from milter.message.dates import parse_date
from milter.message.decode import parse_parameters
from milter.message.document import Message
from milter.message.guard import Notes
from milter.message.received import parse_received
from tests.support.third_party import SHARED

pytestmark = pytest.mark.conformance

_TABLES = SHARED / "conformance" / "mime" / "stalwart-mail-parser"
_FOLDING = re.compile(r"\r?\n(?=[ \t])")


def rows(table: str) -> list[tuple[str, Any]]:
    """Return the value of each row, unfolded, as far as its field goes, and what is expected."""
    path = _TABLES / f"{table}.json"
    if not path.exists():
        pytest.skip(f"the test data is not there: {path}")
    found = json.loads(path.read_text("utf-8"))
    return [(_FOLDING.sub("", row["header"]).partition("\n")[0], row["expected"]) for row in found]


def differing(read: list[tuple[Any, Any]]) -> list[int]:
    return [place for place, (theirs, ours) in enumerate(read) if theirs != ours]


def field(name: str, value: str) -> Message:
    return Message(f"{name}: {value}\r\n\r\n".encode())


def test_addresses_are_those_of_the_table() -> None:
    read = [(boxes(theirs), own_boxes(value)) for value, theirs in rows("address")]
    assert len(read) == 60
    assert differing(read) == [
        9,  # a backslash before folding quotes the space that is left
        33,  # space at the ends of a quoted name says nothing
        *(40, 45),  # a comment before the address is no name
        55,  # words behind the address are not its name
    ]


def boxes(expected: Any) -> list[tuple[str, str]]:
    if expected in (None, "Empty"):
        return []
    listed = expected.get("List")
    if listed is None:
        listed = [address for group in expected["Group"] for address in group["addresses"]]
    return [
        (_named(each["name"] or ""), re.sub(r"\s|^@[^:]*:", "", each["address"]).lower())
        for each in listed
        if "@" in (each["address"] or "")
    ]


def _named(name: str) -> str:
    """Return a name without the comments that they put behind it."""
    return re.sub(r" \(.*", "", name) if name[:1] != "(" else name


def own_boxes(value: str) -> list[tuple[str, str]]:
    authors = field("From", value).authors.addresses
    return [(each.display_name, f"{each.local_part}@{each.domain}".lower()) for each in authors]


def test_types_and_parameters_are_those_of_the_table() -> None:
    read = [
        (type_of(theirs), parse_parameters(value.encode(), Notes()))
        for value, theirs in rows("content_type")
        if (theirs and theirs.get("c_subtype")) or value.startswith("inline")
    ]
    assert len(read) > 80
    assert differing(read) == [
        *(23, 30, 31),  # no semicolon between parameters: names have spaces in real mail
        34,  # space between encoded words is dropped, whatever their charsets (RFC 2047 §6.2)
        41,  # an empty value is one
        *(50, 52),  # segments past the thousandth; more stars than there are
    ]


def type_of(expected: Any) -> tuple[str, dict[str, str]]:
    words = [expected["c_type"], expected.get("c_subtype")]
    named = dict(expected.get("attributes") or ())
    return "/".join(filter(None, words)).lower(), {
        name: value for name, value in named.items() if not name.endswith("-language")
    }


def test_dates_are_those_of_the_table() -> None:
    read = [(moment(theirs), parse_date(value.encode())) for value, theirs in rows("date")]
    assert len(read) == 40
    assert differing(read) == [
        *(10, 12, 28),  # a comment inside the year, and dates among other words
        30,  # no zone of RFC 5322 §4.3
    ]


def moment(expected: Any) -> datetime | None:
    if expected is None:
        return None
    offset = timedelta(hours=expected["tz_hour"], minutes=expected["tz_minute"])
    zone = timezone(-offset if expected["tz_before_gmt"] else offset)
    day = (expected["year"], expected["month"], expected["day"])
    clock = (expected["hour"], expected["minute"], expected["second"])
    try:
        return datetime(*day, *clock, tzinfo=zone)
    except ValueError:
        return None


def test_unstructured_text_is_that_of_the_table() -> None:
    # They make one space of several; RFC 5322 §2.2.3 takes the line break away alone.
    read = [
        ((theirs or "").split(), field("Subject", value).subject.split())
        for value, theirs in rows("unstructured")
    ]
    assert len(read) == 30
    # They put a space before an encoded word that has none.
    assert differing(read) == [21, 27, 28]


def test_received_fields_tell_the_writer_of_the_table_and_no_other_address() -> None:
    unlike, other = [], []
    for value, theirs in rows("received"):
        if theirs is None:
            continue
        ours = parse_received(value.encode())
        if (by := place(theirs.get("by"))) and ours.by.strip("[]<>,").lower() != by:
            unlike.append(value)
        seen = ip_address(theirs["from_ip"]) if theirs.get("from_ip") else None
        mapped = getattr(seen, "ipv4_mapped", None) or seen
        # We tell none where the client may have chosen it.
        if mapped is not None and ours.client_ip not in (None, mapped):
            other.append(value)
    assert other == []
    # Behind `from` stands what the client calls itself, and that may begin with a bracket: so a
    # field that begins with a comment tells us no writer. And one has two writers.
    odd = [value for value in unlike if not re.match(r"from +\(", value)]
    assert len(odd) == 1
    assert odd[0].count(" by ") == 2


def place(expected: Any) -> str:
    return str(next(iter(expected.values()), "")).lower() if expected else ""
