"""docs/rfc.tsv and the references in the code name the same places."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Place = tuple[str, str, str]

_PACKAGES = ("milter", "policies", "reputation")
_ENDINGS = {".py", ".yaml"}
# `RFC 5321 §4.5.3.1.8`, and `RFC 5321 §4.1.2, §4.1.3` for two sections, on one line or on two.
_REFERENCE = re.compile(r"RFC\s+(\d+)((?:[\s,#]+(?:and\s+)?§\d+(?:\.\d+)*)+)")
_SECTION = re.compile(r"§(\d+(?:\.\d+)*)")


def _referred(checkout: Path) -> Iterator[Place]:
    for package in _PACKAGES:
        for path in sorted((checkout / package).rglob("*")):
            if path.suffix in _ENDINGS:
                for rfc, sections in _REFERENCE.findall(path.read_text("utf-8")):
                    for section in _SECTION.findall(sections):
                        yield rfc, section, str(path.relative_to(checkout))


def _rows(checkout: Path) -> list[dict[str, str]]:
    with (checkout / "docs" / "rfc.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _listed(checkout: Path) -> list[Place]:
    return [(row["rfc"], row["section"], row["file"]) for row in _rows(checkout)]


def test_every_reference_in_the_code_has_a_row(checkout: Path) -> None:
    listed = set(_listed(checkout))

    missing = sorted(set(_referred(checkout)) - listed)

    assert missing == []


def test_every_row_has_its_reference_in_the_code(checkout: Path) -> None:
    referred = set(_referred(checkout))

    stale = [place for place in _listed(checkout) if place not in referred]

    assert stale == []


def test_every_row_stands_once_and_says_what_it_is_about(checkout: Path) -> None:
    places = _listed(checkout)

    wordless = [row for row in _rows(checkout) if not row["what"]]

    assert wordless == []
    assert len(places) == len(set(places))


def test_rows_are_sorted(checkout: Path) -> None:
    places = _listed(checkout)

    in_order = sorted(places, key=lambda p: (int(p[0]), [int(n) for n in p[1].split(".")], p[2]))

    assert places == in_order
