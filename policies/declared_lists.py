"""The DNS lists that a policy declares: what they are asked about, what they answer, whom to trust.

Everything about one entry that its shape does not show is checked here: answers that can never be a
listing, subjects that do not go together, lists that ended, names that look like another's. This
module reads no file.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from policies.dnslist_schema import HashSection
from policies.dnslists import (
    BITS,
    DEFAULT_POINTS,
    ERROR_BIT,
    STAGE_ORDER,
    UNFORGED,
    Asks,
    DnsList,
    HashForm,
    ProbePoints,
    parse_code,
    why_error,
)
from policies.symbols import SymbolSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Address

    from policies.dnslist_schema import DnsListEntry, ListedAs
    from policies.errors import ConfigError
    from policies.list_catalogue import ListCatalogue
    from policies.positions import Loc, Positions

_LISTED: Final = {
    "addresses": "the address {listed} is listed by {zone}",
    "domains": "the domain {listed} is listed by {zone}",
    "hashes": "{listed} is listed by {zone}",
}
_GROUP: Final = "lists"
# A slip of the finger in a long name leaves nine tenths of it as it was.
_ALIKE: Final = 0.9


@dataclass(slots=True)
class DeclaredLists:
    """The lists of one policy, gathered entry by entry.

    Attributes:
        positions: Places of everything in the file.
        shipped: The shipped table of symbols.
        catalogue: The well-known lists, and those that ended.
        symbols: What the lists declare is added.
        mistakes: What is wrong is added.
        dns_lists: In the order of the file.
        bounds: Caps and floors of groups, where the policy says none.
    """

    positions: Positions
    shipped: Mapping[str, SymbolSpec]
    catalogue: ListCatalogue
    symbols: dict[str, SymbolSpec]
    mistakes: list[ConfigError]
    dns_lists: list[DnsList] = field(default_factory=list)
    bounds: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, index: int, entry: DnsListEntry, key: str) -> None:
        """Take one DNS list; `key` is what stands in its key file."""
        loc = ("dns_lists", index)
        asks = _asks(entry)
        if not self._is_whole(loc, entry, asks) or entry.zone is None:
            return
        if known := self._same(entry.public_zone, asks):
            what = f"the list {entry.public_zone} stands twice for {known}: put its codes together"
            self._mistake((*loc, "zone"), what)
        codes = dict(self._codes((*loc, "codes"), entry, asks))
        bits = dict(self._bits((*loc, "bits"), entry, asks))
        self._bound(entry)
        errors = frozenset(self._errors((*loc, "errors"), entry))
        found = replace(list_of(entry), codes=codes, bits=bits, errors=errors, key=key)
        self.dns_lists.append(found)

    def _is_whole(self, loc: Loc, entry: DnsListEntry, asks: tuple[Asks, ...]) -> bool:
        if entry.zone is None or not asks:
            what = "a list needs `zone` and `asks`, or `use` with an entry of the catalogue"
            self._mistake(loc, what)
            return False
        if bool(entry.codes) == bool(entry.bits):
            what = "needs either `codes` or `bits`: which answers are listings must be said"
            self._mistake(loc, f"the list {entry.zone} {what}")
        self._check_zone((*loc, "zone"), entry)
        self._check_asks((*loc, "asks"), entry, asks)
        about = self.catalogue.about(entry.use)
        if about is not None and about.register_for == "key" and entry.key_file is None:
            what = f"`{entry.use}` needs `key_file`, a file with the key: {about.how}"
            self._mistake((*loc, "use"), what)
        return True

    def _check_zone(self, loc: Loc, entry: DnsListEntry) -> None:
        zone = (entry.zone or "").lower()
        if ended := self.catalogue.ended(zone):
            self._mistake(loc, f"{ended}: take the list out")
        elif not entry.use and not self.catalogue.knows(zone):
            near = difflib.get_close_matches(zone, self.catalogue.zones, 1, _ALIKE)
            if near and near[0].count(".") == zone.count("."):
                what = f"there is no known list {zone}, but one like it: did you mean {near[0]}?"
                self._mistake(loc, what)

    def _check_asks(self, loc: Loc, entry: DnsListEntry, asks: tuple[Asks, ...]) -> None:
        contents = {ask.content for ask in asks}
        if len(contents) > 1:
            what = " and ".join(sorted(contents))
            self._mistake(loc, f"one entry asks about {what}: write one for each")
        self._check_hash((*loc[:-1], "hash"), entry, asks)
        forged = [ask.value for ask in asks if ask not in UNFORGED]
        if entry.effect == "allow" and forged:
            what = (
                f"`{forged[0]}` is what anybody may write into a message, so no list can allow "
                f"because of it: {', '.join(sorted(UNFORGED))} can be asked"
            )
            self._mistake(loc, what)

    def _check_hash(self, loc: Loc, entry: DnsListEntry, asks: tuple[Asks, ...]) -> None:
        if entry.hash is None:
            return
        if asks[0].content == "addresses":
            what = f"`hash` is for hashes and domains; {asks[0].value} is looked up as it is"
            self._mistake_at_key(loc, what)
        elif entry.hash.of != "whole" and Asks.URL_HASH not in asks:
            self._mistake((*loc, "of"), f"`of: {entry.hash.of}` is for `url_hash`")
        elif entry.hash.at != "@" and Asks.EMAIL_HASH not in asks:
            self._mistake((*loc, "at"), f'`at: "{entry.hash.at}"` is for `email_hash`')

    def _same(self, zone: str, asks: tuple[Asks, ...]) -> str:
        """Return what a list above is asked about in the same zone; empty when nothing is."""
        for known in self.dns_lists:
            if known.zone.lower() == zone.lower():
                for ask in asks:
                    if ask in known.asks:
                        return ask.value
        return ""

    def _codes(
        self, loc: Loc, entry: DnsListEntry, asks: tuple[Asks, ...]
    ) -> Iterator[tuple[IPv4Address, str]]:
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
            self._add_listing((*loc, text), listed, entry, asks)
            yield from ((answer, listed.symbol) for answer in answers)

    def _bits(
        self, loc: Loc, entry: DnsListEntry, asks: tuple[Asks, ...]
    ) -> Iterator[tuple[int, str]]:
        for bit, listed in (entry.bits or {}).items():
            if bit == ERROR_BIT:
                self._mistake_at_key(
                    (*loc, bit), "bit 1 can never be a listing: it says that we are refused"
                )
            elif bit not in BITS:
                self._mistake_at_key(
                    (*loc, bit), f"`{bit}` is no bit: write one of 2, 4, 8, 16, 32, 64, 128"
                )
            self._add_listing((*loc, bit), listed, entry, asks)
            yield bit, listed.symbol

    def _errors(self, loc: Loc, entry: DnsListEntry) -> Iterator[IPv4Address]:
        for place, text in enumerate(entry.errors):
            try:
                yield from parse_code(text)
            except ValueError as err:
                self._mistake((*loc, place), f"`{text}`: {err}")

    def _add_listing(
        self, loc: Loc, listed: ListedAs, entry: DnsListEntry, asks: tuple[Asks, ...]
    ) -> None:
        if (listed.weight < 0) if entry.effect == "block" else (listed.weight > 0):
            wanted = "positive" if entry.effect == "block" else "negative"
            self._mistake(
                (*loc, "weight"), f"a list with `effect: {entry.effect}` has {wanted} weights or 0"
            )
        spec = _listing(listed, entry, asks)
        known = self.symbols.get(listed.symbol)
        if listed.symbol in self.shipped:
            what = f"the symbol {listed.symbol} is used by a check: choose another name"
            self._mistake((*loc, "symbol"), what)
        elif known is None:
            self.symbols[listed.symbol] = spec
        elif replace(known, words="", stage="") != replace(spec, words="", stage=""):
            what = f"the symbol {listed.symbol} means something else above: rename one of them"
            self._mistake((*loc, "symbol"), what)
        elif known != spec:
            # Two lists share it: neither one's page may be named for the other's listing, and it is
            # known for certain when the later of them has answered.
            words = known.words if known.words == spec.words else _LISTED["hashes"]
            stage = max(known.stage, spec.stage, key=STAGE_ORDER.index)
            self.symbols[listed.symbol] = replace(known, words=words, stage=stage)

    def _bound(self, entry: DnsListEntry) -> None:
        if entry.cap is not None:
            bounds = self.bounds.setdefault(entry.group or _GROUP, {})
            if entry.effect == "allow":
                bounds["floor"] = min(-entry.cap, bounds.get("floor", 0.0))
            else:
                bounds["cap"] = max(entry.cap, bounds.get("cap", 0.0))

    def _mistake(self, loc: Loc, what: str) -> None:
        self.mistakes.append(self.positions.error(loc, what))

    def _mistake_at_key(self, loc: Loc, what: str) -> None:
        self.mistakes.append(self.positions.key_error(loc, what))


def list_of(entry: DnsListEntry) -> DnsList:
    """Return the list of `entry`, which has zone and asks, without its answers and its key."""
    asks = _asks(entry)
    return DnsList(
        zone=entry.public_zone,
        asks=asks,
        effect=entry.effect,
        hashed=_hash_form(entry, asks[0].content),
        points=_points(entry, asks[0].content),
        ipv6=entry.ipv6,
        most=entry.most,
        most_hits=entry.most_hits,
        graded=entry.graded,
        part=entry.part or "",
        a_day=entry.queries_a_day or 0,
    )


def _hash_form(entry: DnsListEntry, content: str) -> HashForm | None:
    if entry.hash is None and content != "hashes":
        return None
    said = entry.hash or HashSection()
    keeps_case = said.case == "keep"
    return HashForm(
        said.algorithm, said.encoding, said.length or 0, said.of, keeps_case=keeps_case, at=said.at
    )


def _asks(entry: DnsListEntry) -> tuple[Asks, ...]:
    if entry.asks is None:
        return ()
    return tuple(dict.fromkeys((entry.asks,) if isinstance(entry.asks, Asks) else entry.asks))


def _points(entry: DnsListEntry, content: str) -> ProbePoints:
    if entry.test is None:
        return DEFAULT_POINTS["hashes" if entry.hash else content]
    return ProbePoints(entry.test.listed or "", entry.test.not_listed or "")


def _listing(listed: ListedAs, entry: DnsListEntry, asks: tuple[Asks, ...]) -> SymbolSpec:
    words = _LISTED[asks[0].content]
    if entry.page:
        words += f", see {entry.page.replace('{client_ip}', '{listed}')}"
    return SymbolSpec(
        name=listed.symbol,
        words=words if entry.effect == "block" else "",
        describe=listed.describe,
        class_=listed.class_,
        kind=listed.kind,
        group=listed.group or entry.group or _GROUP,
        weight=listed.weight,
        stage=max((ask.stage for ask in asks), key=STAGE_ORDER.index),
        allows=entry.effect == "allow",
    )
