"""What a colleague who looked at the message would write about it, in a few lines.

What it pretends to be and says, then what betrays it, each with the place where it is seen. The
sections below it (`milter.cli.explain`) have the figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.message.document import Message
from milter.message.urls.link import Source
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.pipeline.offline import Judged
    from policies.verdict import Contribution

_LOOKS_LIKE: Final = {
    "advertising": "unsolicited advertising",
    "phishing": "phishing: it wants a password or data",
    "malware": "a carrier of malware",
    "fraud": "fraud: it wants money",
    "extortion": "extortion",
    "adult": "adult advertising",
    "pharma": "an advertisement for medicines",
    "backscatter": "a bounce, perhaps of mail that others sent in your name",
    "botnet": "the work of a botnet",
}
_DONE: Final = {
    Action.PASS: "It passes",
    Action.TAG: "It is marked",
    Action.QUARANTINE: "It is quarantined",
    Action.DEFER: "It is deferred",
    Action.REJECT: "It is refused",
    Action.DISCARD: "It is discarded",
}
# What a group looks at, where its evidence names no place itself.
_PLACES: Final = {
    "auth": "authentication",
    "client": "client",
    "lists": "DNS lists",
    "headers": "header",
    "mailer": "header",
    "bulk": "header",
    "html": "HTML",
    "links": "link",
    "lookalike": "names and domains",
    "attachments": "attachment",
    "text": "text",
    "reputation": "memory",
    "classifier": "classifier",
}
# Symbols of these say what a message tells its reader; all others, how it is made and sent.
_SAYS: Final = frozenset({"words"})
# The words of these are those of their kind of spam, which tell less than their description.
_IN_PACKS: Final = frozenset({"words", "made"})
_DECEIVES: Final = frozenset({"lookalike", "links", "auth", "attachments"})
_CLICKED: Final = frozenset((Source.TEXT, Source.LINK, Source.FORM, Source.REFRESH, Source.CODE))
_MOST_HOSTS: Final = 3
_MOST: Final = 6
_SHOWN: Final = 120
# Of what marks a message; from here on it is no longer little.
_NEARLY: Final = 0.8


def note(judged: Judged) -> Iterator[str]:
    """Yield the lines of the note; none where nothing speaks against the message."""
    against = [one for one in judged.outcome.verdict.contributions if one.counted > 0]
    if not against:
        return
    yield _opening(judged)
    yield from _pretends(Message(judged.message))
    says = [one for one in against if one.group in _SAYS]
    yield from _listed("What it says:", says)
    others = [one for one in against if one.group not in _SAYS]
    # What deceives comes before how the message is made, which weighs as much and tells less.
    others.sort(key=lambda one: one.group not in _DECEIVES)
    yield from _listed("What betrays it:", others)


def _opening(judged: Judged) -> str:
    verdict = judged.outcome.verdict
    done = f"{_DONE[verdict.action]} with {verdict.score:g} points"
    looks = _LOOKS_LIKE.get(verdict.kind, "")
    if verdict.action is Action.PASS:
        near = verdict.score >= _NEARLY * verdict.required
        little = "a little more would have marked it" if near else "there is little against it"
        return f"{done}; {little}" + (looks and f", most of it like {looks}")
    return f"{done}. " + (f"It looks like {looks}" if looks else "No kind of spam stands out")


def _pretends(message: Message) -> Iterator[str]:
    author = next(iter(message.authors.addresses), None)
    if author is not None:
        address = f"{author.local_part}@{author.domain}"
        named = f"{author.display_name} <{address}>" if author.display_name else address
        yield f"It says that it is from {named}" + (
            f", about “{message.subject[:_SHOWN]}”" if message.subject else ""
        )
    hosts = list(dict.fromkeys(u.host for u in message.links if u.host and u.source in _CLICKED))
    if hosts:
        more = f" and {len(hosts) - _MOST_HOSTS} more" if len(hosts) > _MOST_HOSTS else ""
        yield f"Its links lead to {', '.join(host[:_SHOWN] for host in hosts[:_MOST_HOSTS])}{more}"
    if files := [one.name for one in message.attachments if one.name]:
        yield f"It brings {', '.join(name[:_SHOWN] for name in files[:_MOST_HOSTS])}"


def _listed(title: str, contributions: Iterable[Contribution]) -> Iterator[str]:
    lines = [f"  - {_said(one)}" for one in contributions]
    if lines:
        yield title
        yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"  - and {len(lines) - _MOST} more of less weight, below"


def _said(one: Contribution) -> str:
    """Return what was seen in words, with its place and the words that were seen there."""
    own = one.description if one.group in _IN_PACKS or not one.words else one.words
    place, _, seen = one.evidence.partition(": ")
    if one.group in _SAYS and seen:
        return f"{own}. In the {place}: “{seen[:_SHOWN]}”"
    where = _PLACES.get(one.group, "")
    shown = f": {one.evidence[:_SHOWN]}" if one.evidence and one.evidence not in own else ""
    return f"{own}" + (f" ({where}{shown})" if where else shown and f" ({shown[2:]})")
