"""DMARC policy records as text (RFC 9989 §4.7, §4.8).

Says what a record asks for. Which record holds for a message is `walk`'s and `evaluate`'s business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Final

# A record with a dozen addresses for reports has some 500 octets. Longer ones are read each time:
# whoever has a wildcard has any number of them, and they would take hundreds of megabytes.
_MAX_RECORD: Final = 8_192
_MAX_REMEMBERED: Final = 1_024
_REMEMBERED: Final = 4_096
# Whether there is somebody to report to is what counts; nobody here writes to them.
_MAX_URIS: Final = 10

_VERSION: Final = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)", re.ASCII)
_TAG: Final = re.compile(r"([A-Za-z]+)[ \t]*=[ \t]*([\t -:<-~]*)", re.ASCII)
# RFC 3986 §3: a scheme and what may follow it; a comma parts two, and behind an exclamation mark
# stands the size of RFC 7489, which is ignored.
_URI: Final = re.compile(
    r"[ \t]*((?i:mailto):[^\s,!@]+@[^\s,!@]+|(?!(?i:mailto:))[A-Za-z][A-Za-z0-9+.-]*:[^\s,!]+)"
    r"(?:![0-9]+[kmgtKMGT]?)?[ \t]*",
    re.ASCII,
)
# Those that are read here; `ruf` and the options of failure reports are left to who sends them.
_KNOWN: Final = frozenset({"p", "sp", "np", "t", "psd", "adkim", "aspf", "rua"})


class Wish(StrEnum):
    """What a domain wants done with mail that fails: its assessment policy (RFC 9989 §3.2.8)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def lowered(self) -> Wish:
        """One step less (RFC 9989 §4.7, t=y)."""
        return Wish.QUARANTINE if self is Wish.REJECT else Wish.NONE


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """One policy record.

    Attributes:
        text: As published.
        wish: The p tag, for the domain itself.
        subdomains: The sp tag; None without it.
        missing: The np tag, for subdomains that do not exist; None without it.
        psd: `y`, `n` or `u`.
        testing: Whether the wish is to be taken one step lower (t=y).
        strict_dkim: Whether only an identical DKIM domain is aligned (adkim=s).
        strict_spf: The same for SPF (aspf=s).
        reports_to: The first URIs of rua that can be read.
        broken: Why the record asks for nothing that could be applied; empty as a rule.
    """

    text: str
    wish: Wish = Wish.NONE
    subdomains: Wish | None = None
    missing: Wish | None = None
    psd: str = "u"
    testing: bool = False
    strict_dkim: bool = False
    strict_spf: bool = False
    reports_to: tuple[str, ...] = ()
    broken: str = ""


def parse_record(data: bytes) -> DmarcRecord | None:
    """Return the record that `data` is; None where it is no DMARC record at all.

    Never raises: what cannot be read in a record counts as if it were not there, or makes the
    record `broken`.
    """
    return _remembered(data) if len(data) <= _MAX_REMEMBERED else _parsed(data)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(data: bytes) -> DmarcRecord | None:
    return _parsed(data)


def _parsed(data: bytes) -> DmarcRecord | None:
    text = data[: _MAX_RECORD + 1].decode("utf-8", "replace")
    # RFC 9989 §4.7: v must be the first tag, its value is case-sensitive.
    version = _VERSION.match(text[:1].lower() + text[1:])
    if version is None:
        return None
    if len(data) > _MAX_RECORD:
        return DmarcRecord(text[:100], broken="the record is too long")
    tags, doubled = _tags(text[version.end() :])
    if doubled:
        # RFC 6376 §3.2, whose syntax it is: a tag that stands twice spoils the whole list.
        return DmarcRecord(text, broken=f"the tag {doubled} stands twice")
    return _record(text, tags)


def _tags(text: str) -> tuple[dict[str, str], str]:
    """Return the known tags with their values, and the first one that stands twice."""
    tags: dict[str, str] = {}
    for piece in text.split(";"):
        # RFC 9989 §4.8: unknown tags and errors of syntax are ignored.
        match = _TAG.fullmatch(piece.strip(" \t"))
        if match is None or (name := match[1].lower()) not in _KNOWN:
            continue
        if name in tags:
            return tags, name
        tags[name] = match[2]
    return tags, ""


def _record(text: str, tags: dict[str, str]) -> DmarcRecord:
    uris = tags.get("rua", "").split(",")
    readable = (match[1] for uri in uris if (match := _URI.fullmatch(uri)))
    reports_to = tuple(islice(readable, _MAX_URIS))
    wishes = {name: _wish(tags[name]) for name in ("p", "sp", "np") if name in tags}
    invalid = [name for name, wish in wishes.items() if wish is None]
    if invalid:
        # RFC 9989 §4.10.1: with somebody to report to it counts as p=none, else as nothing.
        wishes = {}
    return DmarcRecord(
        text,
        # RFC 9989 §4.7: no p is p=none.
        wish=wishes.get("p") or Wish.NONE,
        subdomains=wishes.get("sp"),
        missing=wishes.get("np"),
        psd=_one_of(tags, "psd", "ynu", "u"),
        testing=_one_of(tags, "t", "yn", "n") == "y",
        strict_dkim=_one_of(tags, "adkim", "rs", "r") == "s",
        strict_spf=_one_of(tags, "aspf", "rs", "r") == "s",
        reports_to=reports_to,
        broken=f"the tag {invalid[0]} is invalid" if invalid and not reports_to else "",
    )


def _wish(value: str) -> Wish | None:
    try:
        return Wish(value.lower())
    except ValueError:
        return None


def _one_of(tags: dict[str, str], name: str, letters: str, default: str) -> str:
    value = tags.get(name, default).lower()
    return value if len(value) == 1 and value in letters else default
