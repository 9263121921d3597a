"""SPF records as they are published (RFC 7208 §4.5, §4.6.1, §12): text in, terms out.

A record is read whole before anything is evaluated: one mistake anywhere makes all of it void.
Names are not looked at beyond their form, for macros may still change them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from milter.auth.results import Result
from milter.auth.spf.macros import MacroString, parse_macros
from milter.core.errors import ParseError

_VERSION: Final = re.compile(rb"v=spf1(?: |\Z)", re.IGNORECASE)
# Not in the RFC. No published record comes near it, and eleven of them are read for one message.
_MAX_RECORD: Final = 16_384
# RFC 7208 §3.4: a record should fit a packet of 512 octets. Longer ones are read each time: a term
# that is read takes fifty times the octets of its text, and whoever has a wildcard has any number.
_MAX_REMEMBERED: Final = 768
_REMEMBERED: Final = 512

_QUALIFIERS: Final = {
    "+": Result.PASS,
    "-": Result.FAIL,
    "~": Result.SOFTFAIL,
    "?": Result.NEUTRAL,
}
_MODIFIER: Final = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE)
_LENGTH: Final = r"(?:0|[1-9][0-9]{0,2})"
_MECHANISM: Final = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>[a-z][a-z0-9]*)(?::(?P<value>.*?))?"
    rf"(?:/(?P<v4>{_LENGTH}))?(?://(?P<v6>{_LENGTH}))?",
    re.IGNORECASE,
)
_NETWORK: Final = re.compile(
    rf"(?P<qualifier>[+?~-]?)(?P<name>ip[46]):(?P<value>[0-9a-f.:]+)(?:/(?P<length>{_LENGTH}))?",
    re.IGNORECASE,
)
# RFC 7208 §7.1: a name ends in a top label that is no number, or in a macro.
_TOP_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)
_MACRO_END: Final = re.compile(r"%(?:\{[a-z][0-9]*r?[.+,/_=-]*\}|[%_-])\Z", re.IGNORECASE)
_NAMES: Final = frozenset({"all", "include", "a", "mx", "ptr", "exists"})
_NEEDS_VALUE: Final = frozenset({"include", "exists"})
_HAS_LENGTHS: Final = frozenset({"a", "mx"})
# Terms whose match depends on nothing but the client's address and on names that the record spells.
_BY_NETWORK: Final = frozenset({"all", "include", "a", "mx", "ip4", "ip6"})


@dataclass(frozen=True, slots=True)
class Term:
    """One directive.

    Attributes:
        text: As published.
        result: What the qualifier makes of a match.
        name: Of the mechanism, in lower case.
        target: The name to ask for; None for the domain itself.
        network: Number of the address of ip4 and ip6; 0 for others.
        length_v4: Bits of an IPv4 address that count.
        length_v6: Bits of an IPv6 address that count.
    """

    text: str
    result: Result
    name: str
    target: MacroString | None = None
    network: int = 0
    length_v4: int = 32
    length_v6: int = 128


@dataclass(frozen=True, slots=True)
class Record:
    """A record that holds no mistake.

    Attributes:
        terms: The directives in their order.
        redirect: Where to look when none of them matches.
        exp: Where the explanation of a fail lies.
        letters: Of all macros whose values have an effect.
        by_network: Whether clients of one network may share what it says.
    """

    terms: tuple[Term, ...]
    redirect: MacroString | None
    exp: MacroString | None
    letters: frozenset[str]
    by_network: bool


def is_record(text: bytes) -> bool:
    """Return whether a TXT record is one of SPF (RFC 7208 §4.5)."""
    return _VERSION.match(text) is not None


def parse_record(text: bytes) -> Record:
    """Return the record in `text`, for which `is_record` holds.

    Raises:
        ParseError: It does not follow the grammar; says which term.
    """
    if len(text) > _MAX_RECORD:
        raise ParseError(f"the record is longer than {_MAX_RECORD} octets")
    return _remembered(text) if len(text) <= _MAX_REMEMBERED else _parsed(text)


@lru_cache(_REMEMBERED)
def _remembered(text: bytes) -> Record:
    return _parsed(text)


def _parsed(text: bytes) -> Record:
    try:
        words = text.decode("ascii").split(" ")[1:]
    except UnicodeDecodeError as err:
        raise ParseError("the record is not ASCII", err.start) from err
    terms: list[Term] = []
    modifiers: dict[str, MacroString] = {}
    for word in words:
        if not word:
            continue
        if modifier := _MODIFIER.fullmatch(word):
            _add_modifier(modifiers, word, modifier[1].lower(), modifier[2])
        else:
            terms.append(_term(word))
    return _record(tuple(terms), modifiers.get("redirect"), modifiers.get("exp"))


def _record(
    terms: tuple[Term, ...], redirect: MacroString | None, exp: MacroString | None
) -> Record:
    named = [term.target for term in terms] + [redirect, exp]
    letters = frozenset[str]().union(*(target.letters for target in named if target is not None))
    by_network = exp is None and not letters and all(term.name in _BY_NETWORK for term in terms)
    return Record(terms, redirect, exp, letters, by_network)


def _add_modifier(known: dict[str, MacroString], word: str, name: str, value: str) -> None:
    # RFC 7208 §6: unknown modifiers may come as often as they like; their macros must be right.
    if name not in ("redirect", "exp"):
        _macros(word, value)
        return
    if name in known:
        raise ParseError(f"{name} stands twice")
    known[name] = _domain(word, value)


def _term(word: str) -> Term:
    if network := _NETWORK.fullmatch(word):
        return _network(word, network)
    found = _MECHANISM.fullmatch(word)
    name = found["name"].lower() if found else ""
    if found is None or name not in _NAMES:
        raise ParseError(f"no such term: {word}")
    value, v4, v6 = found["value"], found["v4"], found["v6"]
    if (v4 or v6) and name not in _HAS_LENGTHS:
        raise ParseError(f"a prefix length where none may stand: {word}")
    if (value is None and name in _NEEDS_VALUE) or (value is not None and name == "all"):
        raise ParseError(f"{name} {'may have no' if name == 'all' else 'needs a'} name: {word}")
    return Term(
        word,
        _QUALIFIERS[found["qualifier"] or "+"],
        name,
        None if value is None else _domain(word, value),
        length_v4=_length(word, v4, 32),
        length_v6=_length(word, v6, 128),
    )


def _network(word: str, found: re.Match[str]) -> Term:
    name = found["name"].lower()
    qualifier = _QUALIFIERS[found["qualifier"] or "+"]
    try:
        if name == "ip4":
            number = int(IPv4Address(found["value"]))
            length = _length(word, found["length"], 32)
            return Term(word, qualifier, name, network=number, length_v4=length)
        number = int(IPv6Address(found["value"]))
    except ValueError as err:
        raise ParseError(f"no address: {word}") from err
    length = _length(word, found["length"], 128)
    return Term(word, qualifier, name, network=number, length_v6=length)


def _length(word: str, digits: str | None, most: int) -> int:
    length = most if digits is None else int(digits)
    if length > most:
        raise ParseError(f"a prefix length over {most}: {word}")
    return length


def _domain(word: str, text: str) -> MacroString:
    above, dot, top = text.removesuffix(".").rpartition(".")
    named = above and dot and _TOP_LABEL.fullmatch(top) and not top.isdigit()
    if not named and _MACRO_END.search(text) is None:
        raise ParseError(f"no domain name: {word}")
    return _macros(word, text)


def _macros(word: str, text: str) -> MacroString:
    try:
        return parse_macros(text)
    except ParseError as err:
        raise ParseError(f"{err.what}: {word}", err.offset) from err
