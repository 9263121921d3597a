"""The symbols that a policy declares itself: those of its patterns and of its DNS lists.

Everything about one entry that its shape does not show is checked here: patterns that are not
linear-time, answers that can never be a listing, symbols that mean two things. This module reads no
file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from policies.dnslists import BITS, ERROR_BIT, DnsList, parse_code, why_error
from policies.patterns import PatternError, PatternSet, PatternSpec, compile_pattern
from policies.symbols import KIND_WORDS, SymbolSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Address

    from policies.errors import ConfigError
    from policies.positions import Loc, Positions
    from policies.schema import DnsListEntry, ListedAs, PatternEntry

_ASKED: Final = frozenset({"client_ip"})
_LISTED: Final = "the address {client_ip} is listed by {zone}"


@dataclass(slots=True)
class Declared:
    """What a policy declares, gathered entry by entry.

    Attributes:
        symbols: By name.
        dns_lists: In the order of the file.
        patterns: Compiled, in the order of the file.
        mistakes: What is wrong.
    """

    positions: Positions
    shipped: Mapping[str, SymbolSpec]
    symbols: dict[str, SymbolSpec] = field(default_factory=dict)
    dns_lists: list[DnsList] = field(default_factory=list)
    patterns: list[tuple[PatternSpec, Any]] = field(default_factory=list)
    mistakes: list[ConfigError] = field(default_factory=list)

    def add_pattern(self, index: int, entry: PatternEntry) -> None:
        """Take one pattern."""
        loc = ("patterns", index)
        if entry.id in self.symbols or entry.id in self.shipped:
            self._mistake((*loc, "id"), f"the symbol {entry.id} exists already: choose another id")
            return
        view = entry.in_.lower()
        spec = PatternSpec(entry.id, view, entry.match)
        try:
            self.patterns.append((spec, compile_pattern(spec)))
        except PatternError as err:
            self.mistakes.append(self.positions.error((*loc, "match"), err.what, err.offset))
        against = entry.words or KIND_WORDS[entry.kind]
        self.symbols[entry.id] = SymbolSpec(
            name=entry.id,
            words=against if entry.weight > 0 else "",
            describe=entry.describe,
            class_=entry.class_,
            kind=entry.kind,
            group=entry.group or "",
            weight=entry.weight,
            # Whatever they look at, patterns are matched when the message is there.
            stage="message",
        )

    def add_dns_list(self, index: int, entry: DnsListEntry, key: str) -> None:
        """Take one DNS list; `key` is what stands in its key file."""
        loc = ("dns_lists", index)
        if entry.asks not in _ASKED:
            self._mistake(
                (*loc, "asks"), f"`{entry.asks}` is not asked by this version: client_ip is"
            )
        if any((known.zone, known.asks) == (entry.zone, entry.asks) for known in self.dns_lists):
            self._mistake(
                (*loc, "zone"), f"the list {entry.zone} stands twice: put its codes together"
            )
        if bool(entry.codes) == bool(entry.bits):
            what = "needs either `codes` or `bits`: which answers are listings must be said"
            self._mistake(loc, f"the list {entry.zone} {what}")
        codes = dict(self._codes((*loc, "codes"), entry))
        bits = dict(self._bits((*loc, "bits"), entry))
        self.dns_lists.append(DnsList(entry.zone, entry.asks, entry.effect, codes, bits, key))

    def _codes(self, loc: Loc, entry: DnsListEntry) -> Iterator[tuple[IPv4Address, str]]:
        seen: dict[IPv4Address, str] = {}
        for text, listed in (entry.codes or {}).items():
            try:
                answers = parse_code(text)
            except ValueError as err:
                self._mistake_at_key((*loc, text), f"`{text}`: {err}")
                continue
            if why := next(filter(None, map(why_error, answers)), ""):
                self._mistake_at_key((*loc, text), f"`{text}` can never be a listing: {why}")
            elif twice := next((seen[answer] for answer in answers if answer in seen), ""):
                self._mistake_at_key((*loc, text), f"`{text}` is covered by `{twice}` already")
            seen.update(dict.fromkeys(answers, text))
            self._add_listing((*loc, text), listed, entry)
            yield from ((answer, listed.symbol) for answer in answers)

    def _bits(self, loc: Loc, entry: DnsListEntry) -> Iterator[tuple[int, str]]:
        for bit, listed in (entry.bits or {}).items():
            if bit == ERROR_BIT:
                self._mistake_at_key(
                    (*loc, bit), "bit 1 can never be a listing: it says that we are refused"
                )
            elif bit not in BITS:
                self._mistake_at_key(
                    (*loc, bit), f"`{bit}` is no bit: write one of 2, 4, 8, 16, 32, 64, 128"
                )
            self._add_listing((*loc, bit), listed, entry)
            yield bit, listed.symbol

    def _add_listing(self, loc: Loc, listed: ListedAs, entry: DnsListEntry) -> None:
        if (listed.weight < 0) if entry.effect == "block" else (listed.weight > 0):
            wanted = "positive" if entry.effect == "block" else "negative"
            self._mistake(
                (*loc, "weight"), f"a list with `effect: {entry.effect}` has {wanted} weights or 0"
            )
        spec = _listing(listed, entry)
        known = self.symbols.get(listed.symbol)
        if listed.symbol in self.shipped:
            what = f"the symbol {listed.symbol} is used by a check: choose another name"
            self._mistake((*loc, "symbol"), what)
        elif known is None:
            self.symbols[listed.symbol] = spec
        elif replace(known, words="") != replace(spec, words=""):
            what = f"the symbol {listed.symbol} means something else above: rename one of them"
            self._mistake((*loc, "symbol"), what)
        elif known.words != spec.words:
            # Two lists share it: neither one's page may be named for the other's listing.
            self.symbols[listed.symbol] = replace(known, words=_LISTED)

    def pattern_set(self, counted: frozenset[str]) -> PatternSet:
        """Return the patterns whose symbols are `counted`."""
        return PatternSet([pair for pair in self.patterns if pair[0].id in counted])

    def _mistake(self, loc: Loc, what: str) -> None:
        self.mistakes.append(self.positions.error(loc, what))

    def _mistake_at_key(self, loc: Loc, what: str) -> None:
        self.mistakes.append(self.positions.key_error(loc, what))


def _listing(listed: ListedAs, entry: DnsListEntry) -> SymbolSpec:
    words = f"{_LISTED}, see {entry.page}" if entry.page else _LISTED
    return SymbolSpec(
        name=listed.symbol,
        words=words if entry.effect == "block" else "",
        describe=listed.describe,
        class_=listed.class_,
        kind=listed.kind,
        group=listed.group,
        weight=listed.weight,
        stage="connect",
    )
