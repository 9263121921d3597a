"""The story of an authentication: what was asked, what came back, what was decided from it.

Told only to a person who asks why (`gatepost scan --explain`, `gatepost diagnose`). A resolver that
tells is handed to a check in place of the plain one; whatever the check asks is written down by
itself, and a method adds what it concludes:

    if story := story_of(resolver):
        story.decide("the domain has no record", SECTION)

Everywhere else the resolver is a plain one, and the story costs that one question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.dns.resolver import Answer, Rdata, Resolver, Rrtype

_MAX_STEPS: Final = 1_000
_MAX_RECORDS: Final = 20
_MAX_SHOWN: Final = 500
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/]{100,}={0,2}")
_KEY_SHOWN: Final = 24


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question and its answer."""

    name: str
    rrtype: Rrtype
    answer: Answer


@dataclass(frozen=True, slots=True)
class Decision:
    """A conclusion.

    Attributes:
        words: What was concluded, and from what; may hold what peers chose.
        section: Where it is written that it has to be so, an RFC with its section; or empty.
    """

    words: str
    section: str = ""


@dataclass(slots=True)
class Story:
    """What one check asked and decided, in order; past a thousand steps it stops listening.

    Attributes:
        teller: Name of the check.
        steps: Lookups and decisions.
    """

    teller: str
    steps: list[Lookup | Decision] = field(default_factory=list)

    def decide(self, words: str, section: str = "") -> None:
        """Add a conclusion."""
        self._add(Decision(words, section))

    def ask(self, name: str, rrtype: Rrtype, answer: Answer) -> None:
        """Add a question with its answer."""
        self._add(Lookup(name, rrtype, answer))

    def lines(self) -> Iterator[str]:
        """Yield the story for a reader: questions begin with `?`, conclusions with `=`."""
        told: dict[tuple[str, str], Answer] = {}
        for step in self.steps:
            if isinstance(step, Decision):
                section = f"  [{step.section}]" if step.section else ""
                yield f"= {step.words}{section}"
            elif told.get(question := (step.name.lower(), step.rrtype)) == step.answer:
                yield f"? {step.name} {step.rrtype}: as above"
            else:
                told[question] = step.answer
                yield from _lookup_lines(step)

    def _add(self, step: Lookup | Decision) -> None:
        if len(self.steps) < _MAX_STEPS:
            self.steps.append(step)


class TellingResolver:
    """Asks another resolver and writes each answer into a story.

    Args:
        inner: Is asked.
        story: Is told.
        secret: A label that is told as three stars; empty: there is none.
    """

    __slots__ = ("_inner", "_secret", "story")

    def __init__(self, inner: Resolver, story: Story, secret: str = "") -> None:
        self._inner = inner
        self._secret = secret
        self.story = story

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; see `Resolver`."""
        told = name.replace(f".{self._secret}.", ".***.") if self._secret else name
        try:
            answer = await self._inner.resolve(name, rrtype)
        except BaseException:
            # Whoever waited has no more time; what it waited for is what the reader looks for.
            self.story.decide(f"no answer in time for {rrtype} of {told}")
            raise
        self.story.ask(told, rrtype, answer)
        return answer

    def hiding(self, secret: str) -> TellingResolver:
        """Return a resolver that asks and tells the same, and never tells the label `secret`."""
        return TellingResolver(self._inner, self.story, secret.lower())


def story_of(resolver: Resolver) -> Story | None:
    """Return the story that `resolver` writes; None when nobody listens."""
    return resolver.story if isinstance(resolver, TellingResolver) else None


def hiding(resolver: Resolver, secret: str) -> Resolver:
    """Return `resolver`, which never tells the label `secret` where it tells at all."""
    if secret and isinstance(resolver, TellingResolver):
        return resolver.hiding(secret)
    return resolver


def _lookup_lines(step: Lookup) -> Iterator[str]:
    records = step.answer.records
    outcome = step.answer.outcome.value
    plural = "" if len(records) == 1 else "s"
    said = f"{len(records)} record{plural}, TTL {step.answer.ttl_s} s" if records else outcome
    yield f"? {step.name} {step.rrtype}: {said}"
    for record in records[:_MAX_RECORDS]:
        yield f"    {_shown(record)[:_MAX_SHOWN]}"
    if len(records) > _MAX_RECORDS:
        yield f"    and {len(records) - _MAX_RECORDS} more"


def _shown(record: Rdata) -> str:
    if isinstance(record, str):
        return record
    parts = [part.decode("utf-8", "backslashreplace") for part in record if isinstance(part, bytes)]
    # What has no strings is an MX: a number and a name.
    return f'"{without_key("".join(parts))}"' if parts else " ".join(map(str, record))


def without_key(text: str) -> str:
    """Return `text` with what is long and encoded, a key of DKIM, told by its begin and length."""
    return _ENCODED.sub(
        lambda found: f"{found[0][:_KEY_SHOWN]}...({len(found[0])} characters)", text
    )
