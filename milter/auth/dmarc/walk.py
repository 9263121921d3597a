"""The DNS tree walk, and the organizational domain that it finds (RFC 9989 §4.10).

One `Walker` serves one message: no name is asked for twice, and what was asked can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.auth.dmarc.record import DmarcRecord, parse_record
from milter.dns.resolver import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from milter.dns.resolver import Answer, Resolver

# RFC 9989 §4.10: a name of eight labels or more is cut to seven for its second query, so that no
# walk takes more than eight.
_SHORTENED: Final = 7


class WalkError(Exception):
    """A name that the walk needs could not be asked for; `words` say which and why."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a walk.

    Attributes:
        name: The name, `_dmarc.` included.
        said: The record that holds there, or why none does.
    """

    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Found:
    """A domain with its valid record."""

    domain: str
    record: DmarcRecord


class Walker:
    """Walks for the domains of one message.

    Attributes:
        asked: Every question for a record, in order.

    Args:
        resolver: Must carry its own deadline.
    """

    def __init__(self, resolver: Resolver) -> None:
        self.asked: list[Asked] = []
        self._resolver = resolver
        self._records: dict[str, DmarcRecord | str | None] = {}

    async def record_at(self, domain: str) -> DmarcRecord | None:
        """Return the one DMARC record of `domain`, None where it has none or several.

        Raises:
            WalkError: It could not be asked for.
        """
        if domain not in self._records:
            self._records[domain] = await self._ask(domain)
        record = self._records[domain]
        if isinstance(record, str):
            raise WalkError(record)
        return record

    async def walk(self, domain: str) -> list[Found]:
        """Return the domains with records from `domain` upwards, the longest first.

        Raises:
            WalkError: One of the names could not be asked for.
        """
        return await self._walk(domain, self.record_at)

    async def heard(self, domain: str) -> list[Found]:
        """Return what `walk` would, had the names that cannot be asked for no records."""
        return await self._walk(domain, self._heard_at)

    async def org_domain(self, domain: str) -> str:
        """Return the organizational domain of `domain` (RFC 9989 §4.10.2).

        Raises:
            WalkError: One of the names could not be asked for.
        """
        return select_org_domain(domain, await self.walk(domain))

    async def exists(self, domain: str) -> bool:
        """Tell whether `domain` is in the DNS (RFC 9989 §3.2.13).

        Raises:
            WalkError: It could not be asked for.
        """
        # RFC 8020 §2: NXDOMAIN is said of the name, whatever the type. The sender's domain is
        # asked for its MX anyway.
        answer = await self._resolver.resolve(domain, "MX")
        if answer.outcome.temporary:
            raise WalkError(f"{answer.outcome.value} for {domain}")
        return answer.outcome is not Outcome.NXDOMAIN

    async def _walk(
        self, domain: str, record_at: Callable[[str], Awaitable[DmarcRecord | None]]
    ) -> list[Found]:
        found: list[Found] = []
        for target in walk_targets(domain):
            record = await record_at(target)
            if record is None:
                continue
            found.append(Found(target, record))
            if record.psd != "u":
                break
        return found

    async def _heard_at(self, domain: str) -> DmarcRecord | None:
        try:
            return await self.record_at(domain)
        except WalkError:
            return None

    async def _ask(self, domain: str) -> DmarcRecord | str | None:
        """Return the record, None without one, or in words why that is not known."""
        name = f"_dmarc.{domain}"
        answer = await self._resolver.resolve(name, "TXT")
        if answer.outcome.temporary:
            said = f"{answer.outcome.value} for {name}"
            self.asked.append(Asked(name, answer.outcome.value))
            return said
        records = _records(answer)
        # RFC 9989 §4.10: several records are none.
        record = records[0] if len(records) == 1 else None
        if record is not None:
            said = record.text
        else:
            said = f"{len(records)} records, so none" if records else "no record"
        self.asked.append(Asked(name, said))
        return record


def walk_targets(domain: str) -> list[str]:
    """Return the names that a walk from `domain` visits, in order (RFC 9989 §4.10).

    >>> walk_targets("a.mail.example.com")
    ['a.mail.example.com', 'mail.example.com', 'example.com', 'com']
    """
    labels = domain.split(".")
    left = min(len(labels) - 1, _SHORTENED)
    return [domain, *(".".join(labels[-count:]) for count in range(left, 0, -1))]


def select_org_domain(start: str, found: list[Found]) -> str:
    """Return the organizational domain after a walk from `start` (RFC 9989 §4.10.2)."""
    for each in found:
        if each.record.psd == "n":
            return each.domain
        if each.record.psd == "y" and each.domain != start:
            labels = start.split(".")
            return ".".join(labels[-(each.domain.count(".") + 2) :])
    return found[-1].domain if found else start


def _records(answer: Answer) -> list[DmarcRecord]:
    texts = [b"".join(r) for r in answer.records if isinstance(r, tuple)]  # type: ignore[arg-type]
    return [record for text in texts if (record := parse_record(text)) is not None]
