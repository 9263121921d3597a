"""How much a domain looks like one that it is not (X.1236 8.2.2).

Compared is the name that somebody registered, beside its public suffix: letters that look alike,
few letters changed, the same name under another suffix, words added to it. Protected domains are
indexed once, so that a message with many links costs a few look-ups for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from milter.message.text.fold import latin_look
from milter.message.urls.domains import domains_inside, public_suffix, registrable_domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Pairs and signs that pass for a letter in the type that mail is read in.
_ALIKE: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_SIGNS: Final = str.maketrans("0135$@|!", "olessali")
# Shorter names are found in everything, and one changed letter makes another word of them.
_LEAST_EDITED: Final = 5
_LEAST_SURE: Final = 6
_LEAST_INSIDE: Final = 6
_MAX_LABEL: Final = 63
# At the start of a line with the domains of one company; of one with names that are words, too,
# and companies by themselves or with a word of service.
_COMPANY: Final = "="
_ALONE: Final = "+"
_SERVING: Final = "&"
_CACHED: Final = 4096


class Level(IntEnum):
    """How alike two domains are, in the words of X.1236."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Likeness:
    """A domain that looks like another one.

    Attributes:
        level: How much.
        domain: The one that looks like `protected`; the whole host where it is below another.
        protected: The one that it is not.
        how: letters, edit, suffix, words or subdomain.
    """

    level: Level
    domain: str
    protected: str
    how: str


class Protected:
    """An index of domains that others pretend to be.

    Args:
        domains: In A-labels, lower case; what is below a registrable domain counts as that.
        least: Shorter names are not looked for among the words of others.

    Attributes:
        domains: The registrable ones.
        names: Each name that is no everyday word, with its domain.
    """

    def __init__(self, domains: Iterable[str], least: int = 4) -> None:
        self._least = least
        self.domains = frozenset(registrable_domain(name) or name for name in domains)
        self._by_name: dict[str, str] = {}
        self._by_look: dict[str, str] = {}
        self._by_spelling: dict[str, str] = {}
        self._by_gap: dict[str, str] = {}
        self._words: list[tuple[str, str, str]] = []
        self.names: dict[str, str] = {}
        for domain in sorted(self.domains):
            self._add(domain)
        self._known: dict[str, Likeness | None] = {}

    def likeness(self, host: str) -> Likeness | None:
        """Return which protected domain `host`, in A-labels, looks like most; None if none."""
        if host in self._known:
            return self._known[host]
        if len(self._known) >= _CACHED:
            self._known.clear()
        found = self._known[host] = self._compared(host)
        return found

    def _add(self, domain: str) -> None:
        name = name_of(domain)
        if not name:
            return
        look = look_of(name)
        self._by_name.setdefault(name, domain)
        self._by_look.setdefault(look, domain)
        spelling = spelling_of(name)
        self._by_spelling.setdefault(spelling, domain)
        if len(spelling) >= _LEAST_EDITED:
            for gap in _gaps(spelling):
                self._by_gap.setdefault(gap, domain)
        if name not in everyday_words() and len(name) >= self._least:
            self._words.append((name, look, domain))
            self.names.setdefault(name, domain)

    def _compared(self, host: str) -> Likeness | None:
        domain = registrable_domain(host)
        name = name_of(domain)
        if not name or domain in self.domains:
            return None
        below = self._below(host, domain)
        if below is not None and below.level is Level.HIGH:
            return below
        return self._named(domain, name) or self._worded(domain, name) or below

    def _named(self, domain: str, name: str) -> Likeness | None:
        if other := self._by_name.get(name):
            return Likeness(Level.LOW, domain, other, "suffix")
        look = look_of(name)
        if other := self._by_look.get(look):
            return Likeness(Level.HIGH, domain, other, "letters")
        spelling = spelling_of(name)
        if other := self._edited(spelling):
            sure = len(spelling) >= _LEAST_SURE
            return Likeness(Level.HIGH if sure else Level.MEDIUM, domain, other, "edit")
        return None

    def _edited(self, spelling: str) -> str | None:
        if not _LEAST_EDITED <= len(spelling) <= _MAX_LABEL:
            return None
        for candidate in (spelling, *_gaps(spelling)):
            other = self._by_gap.get(candidate) or self._by_spelling.get(candidate)
            if other and _one_edit(spelling, spelling_of(name_of(other))):
                return other
        return None

    def _worded(self, domain: str, name: str) -> Likeness | None:
        tokens = {look_of(token) for token in name.split("-")} if "-" in name else set()
        for word, seen, other in self._words:
            if seen in tokens:
                return Likeness(Level.MEDIUM, domain, other, "words")
            if len(word) >= _LEAST_INSIDE and (name.startswith(word) or name.endswith(word)):
                return Likeness(Level.MEDIUM, domain, other, "words")
        return None

    def _below(self, host: str, domain: str) -> Likeness | None:
        """Return what stands before the name that was registered, where readers begin to read."""
        below = host[: -len(domain) - 1]
        if not below:
            return None
        inside = [inner for inner, _ in domains_inside(host)]
        claimed = next(filter(None, map(self._claimed, inside)), None)
        # The list of suffixes does not know all that a site may protect.
        dotted = f".{below}."
        if claimed := claimed or next((d for d in self.domains if f".{d}." in dotted), None):
            return Likeness(Level.HIGH, host, claimed, "subdomain")
        worded = (self._worded(host, name_of(inner)) for inner in inside)
        return next(filter(None, worded), None) or self._labelled(host, below)

    def _claimed(self, inner: str) -> str | None:
        """Return the protected domain that one inside of a host is, or has the name of."""
        if inner in self.domains:
            return inner
        # An everyday word below a country is a word: `orange.es.shop.example`.
        other = self._by_look.get(look_of(name_of(inner)))
        return other if other and name_of(other) in self.names else None

    def _labelled(self, host: str, below: str) -> Likeness | None:
        labels = below.split(".")
        tokens = {token for label in labels if "-" in label for token in label.split("-")}
        for word, _, other in self._words:
            if (word in labels and len(word) >= _LEAST_EDITED) or word in tokens:
                return Likeness(Level.LOW, host, other, "subdomain")
        return None


@lru_cache(maxsize=_CACHED)
def name_of(domain: str) -> str:
    """Return the label that was registered, in its own letters; empty where there is none."""
    suffix = public_suffix(domain) if domain else ""
    if not suffix or domain == suffix:
        return ""
    label = domain[: -len(suffix) - 1].rpartition(".")[2]
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


@lru_cache(maxsize=_CACHED)
def spelling_of(name: str) -> str:
    """Return a name as the eye reads it: Latin letters, digits that pass for them, no hyphens."""
    return unsigned(latin_look(name[:_MAX_LABEL])).replace("-", "")


def unsigned(text: str) -> str:
    """Return a text with letters in the place of the digits, signs and pairs that pass for them."""
    text = text.translate(_SIGNS)
    for pair, letter in _ALIKE:
        text = text.replace(pair, letter)
    return text


def look_of(name: str) -> str:
    """Return a name as the eye takes it at a glance: like its spelling, and I is L."""
    # A capital I is a small L in most type, and mail readers show names as they are written.
    return spelling_of(name).replace("i", "l")


@lru_cache(maxsize=64)
def protected(domains: frozenset[str]) -> Protected:
    """Return the index of `domains`, remembered."""
    return Protected(domains)


@cache
def brands() -> tuple[str, ...]:
    """Return the domains that are imitated most in mail, by the list beside this file."""
    return tuple(word for word in _words() if "." in word)


@cache
def everyday_words() -> frozenset[str]:
    """Return the names among the brands that are words, too, and found in other names."""
    return frozenset(word for word in _words() if "." not in word)


def is_one_company(one: str, other: str) -> bool:
    """Return whether two registrable domains are known to be those of one company."""
    return other in _companies().get(one, ())


@cache
def _companies() -> dict[str, frozenset[str]]:
    lines = map(frozenset, _marked(_COMPANY))
    return {domain: domains for domains in lines for domain in domains}


@cache
def whole_names() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return brands whose names are words, with their domains.

    First those that are meant where the name stands alone, then those that are where words of
    service stand beside it.
    """
    domains = {name_of(domain): domain for domain in reversed(brands())}
    alone = {name: domains[name] for line in _marked(_ALONE) for name in line}
    return alone, alone | {name: domains[name] for line in _marked(_SERVING) for name in line}


def _words() -> list[str]:
    marks = (_COMPANY, _ALONE, _SERVING)
    lines = (line.split() for line in _lines() if not line.startswith(marks))
    return [word for words in lines for word in words]


def _marked(mark: str) -> Iterator[list[str]]:
    return (line.split()[1:] for line in _lines() if line.startswith(mark))


def _lines() -> list[str]:
    text = files("milter.message").joinpath("brands.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _gaps(name: str) -> Iterator[str]:
    """Yield `name` with each of its letters left out: what one edit away shares with it."""
    for place in range(min(len(name), _MAX_LABEL)):
        yield name[:place] + name[place + 1 :]


def _one_edit(one: str, other: str) -> bool:
    """Return whether one letter added, left out, changed, or two swapped, make one the other."""
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    left, right = one[start:], other[start:]
    if len(left) == len(right):
        swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
        return left[1:] == right[1:] or swapped
    return left[1:] == right if len(left) > len(right) else left == right[1:]
