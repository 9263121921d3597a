"""Asks the test points of DNS lists and says what a person can do about the answers."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from milter.checks.dnslists.probe import probe
from milter.dns.client import DnsClient
from milter.dns.fake import read_zone
from milter.dns.resolver import Outcome
from policies.declared_lists import list_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.dns.resolver import Resolver
    from milter.settings import Dns
    from policies.dnslists import DnsList
    from policies.list_catalogue import About, ListCatalogue
    from policies.loader import Source

_PATIENCE_S: Final = 10.0
_NO_ANSWER: Final = f"it cannot be asked: no answer within {_PATIENCE_S:g} s"
_SILENT: Final = frozenset({"it cannot be asked: timeout", _NO_ANSWER})
_WORKS: Final = "works"
_REFUSALS: Final = {
    "127.255.255.252": "the zone is misspelt",
    "127.255.255.254": "it does not answer public resolvers, or those without a name",
    "127.255.255.255": "too many questions for its free service",
}


@dataclass(slots=True)
class Row:
    """One list and what it answered.

    Attributes:
        name: In the catalogue; empty for a list that is not there.
        dns_list: How it is asked.
        about: What the catalogue says of it; None where it is not there.
        used: Whether the policies ask it.
        missing_key: Whether it cannot be asked because the policies have no key for it.
        trouble: What is wrong; empty when nothing is or it was not asked.
        seconds: Until its test points were answered.
        codes: The addresses of its answers.
    """

    name: str
    dns_list: DnsList
    about: About | None
    used: bool
    missing_key: bool = False
    trouble: str = ""
    seconds: float = 0.0
    codes: list[str] = field(default_factory=list)

    @property
    def zone(self) -> str:
        """Its public name."""
        return self.dns_list.zone

    @property
    def asked(self) -> bool:
        """Whether it was asked."""
        return not self.missing_key

    @property
    def answer(self) -> str:
        """What came of it, in words."""
        return "not asked: no key" if self.missing_key else self.trouble or _WORKS

    @property
    def advice(self) -> str:
        """What a person can do."""
        if self.trouble:
            return self._mending()
        if self.used or self.about is None:
            return ""
        words = f"`use: {self.name}`"
        if self.about.register_for == "key":
            words += " with `key_file`"
        if self.about.register_for == "nothing" and self.about.everybody:
            return f"{words}: {self.about.terms}"
        return f"{words}, after: {self.about.how} Terms: {self.about.terms}"

    def shown(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return {
            "name": self.name,
            "zone": self.zone,
            "used": self.used,
            "asked": self.asked,
            "answer": self.answer,
            "seconds": round(self.seconds, 4),
            "advice": self.advice,
        }

    def _mending(self) -> str:
        how = self.about.how if self.about else ""
        for code in self.codes:
            if why := _REFUSALS.get(code):
                return f"{why[:1].upper()}{why[1:]}. {how}".strip()
        if self.dns_list.key and ("refuses" in self.trouble or "does not list" in self.trouble):
            return f"Its key may be wrong or have ended: look at `key_file`. {how}".strip()
        if "refuses" in self.trouble:
            return f"It refuses this resolver. {how}".strip()
        if "lists the world" in self.trouble:
            return f"{'Take' if self.used else 'Keep'} it out of the policy: it lists everybody."
        if "does not list" in self.trouble:
            return "It is dead, or the zone is wrong; `test` names other test points."
        if self.trouble in _SILENT:
            return "Are the name servers reached? Try again; a list that stays silent is dead."
        return "The list's own name servers fail; if it stays so, it is dead."


def rows_of(
    used: Sequence[DnsList], catalogue: ListCatalogue, names: Sequence[str] = ()
) -> list[Row]:
    """Return what is to be probed: the lists of the policies first, then the catalogue.

    Args:
        used: Lists of the policies, keys included.
        catalogue: The well-known ones.
        names: Entries of the catalogue or zones; none: everything.
    """
    by_zone = {e.public_zone.lower(): name for name, e in catalogue.entries.items()}
    rows: dict[str, Row] = {}
    for dns_list in used:
        name = by_zone.get(dns_list.zone.lower(), "")
        row = Row(name, dns_list, catalogue.about(name), used=True)
        rows.setdefault(dns_list.query_zone, row)
    asked = {row.zone.lower() for row in rows.values()}
    for name, entry in catalogue.entries.items():
        dns_list = list_of(entry)
        if dns_list.zone.lower() not in asked:
            about = catalogue.about(name)
            needs = about is not None and about.register_for == "key"
            rows[dns_list.zone] = Row(name, dns_list, about, used=False, missing_key=needs)
    wanted = {name.lower() for name in names}
    return [row for row in rows.values() if not wanted or {row.name, row.zone.lower()} & wanted]


def nobody_answers(rows: Sequence[Row]) -> bool:
    """Return whether all of several lists were silent, which is no trouble of the lists.

    One that is silent alone may be dead, and who says SERVFAIL or REFUSED has answered.
    """
    asked = [row for row in rows if row.asked]
    return len(asked) > 1 and all(row.trouble in _SILENT for row in asked)


async def probe_all(rows: Sequence[Row], source: Source, dns: Dns) -> None:
    """Ask the test points of all lists at once and write the answers into `rows`."""
    if dns.zone_file:
        await asyncio.gather(*[_probe(row, read_zone(source, dns.zone_file)) for row in rows])
        return
    client = DnsClient.from_settings(dns)
    try:
        await asyncio.gather(*[_probe(row, client) for row in rows])
    finally:
        client.close()


async def _probe(row: Row, resolver: Resolver) -> None:
    if row.missing_key:
        return
    started = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            said = await probe(row.dns_list, resolver, os.urandom(20))
    except TimeoutError:
        row.trouble = _NO_ANSWER
    else:
        row.trouble = said.trouble
        answers = [a for a in (said.listed, said.not_listed) if a is not None]
        row.codes = [str(r) for a in answers if a.outcome is Outcome.ANSWER for r in a.records]
    row.seconds = time.monotonic() - started
