"""What remembered domains and names leave behind, so that others are seen to look like them.

Whoever remembers keeps these words, or hashes of them, and none of the domains: two names that look
alike, or are a letter apart, have some of them in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.message.lookalike import Level, look_of, name_of, spelling_of
from milter.message.text.fold import skeleton
from milter.message.urls.domains import registrable_domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One letter makes another word of shorter names, and hashes cannot be asked which letter it was.
_LEAST_EDITED: Final = 6
_LEAST_SURE: Final = 9
_LEAST_INSIDE: Final = 6
_LONGEST: Final = 40
_LEAST_NAME: Final = 8


def traces_of(host: str) -> tuple[str, ...]:
    """Return what to remember of a domain, in A-labels; nothing where it is no domain."""
    domain = registrable_domain(host)
    name = name_of(domain)[:_LONGEST]
    if not name:
        return ()
    return tuple(
        dict.fromkeys(
            (
                itself(domain),
                f"name {name}",
                f"look {look_of(name)}",
                *_spellings(spelling_of(name)),
            )
        )
    )


def itself(host: str) -> str:
    """Return the trace that only the same registrable domain leaves."""
    return f"domain {registrable_domain(host)}"


def telling(host: str) -> Mapping[str, tuple[Level, str]]:
    """Return the traces that tell whom a domain looks like: how much, and how; most first."""
    name = name_of(registrable_domain(host))[:_LONGEST]
    if not name:
        return {}
    spelling = spelling_of(name)
    edited = Level.HIGH if len(spelling) >= _LEAST_SURE else Level.MEDIUM
    # The same name under another suffix looks the same, too, and says less: many have one.
    found = {
        f"name {name}": (Level.LOW, "suffix"),
        f"look {look_of(name)}": (Level.HIGH, "letters"),
    }
    for trace in _spellings(spelling):
        found[trace] = (edited, "edit")
    for word in _words(name):
        found[f"name {word}"] = (Level.MEDIUM, "words")
    return found


def trace_of_person(display_name: str) -> str:
    """Return what to remember of a display name; empty where it is too short to tell anybody."""
    name = " ".join(skeleton(display_name[:200]).replace(",", " ").split())
    words = sorted(name.split(" "))
    return f"person {' '.join(words)}" if len(words) > 1 and len(name) >= _LEAST_NAME else ""


def _spellings(spelling: str) -> Iterator[str]:
    """Yield a spelling with each of its letters left out, and whole."""
    if len(spelling) < _LEAST_EDITED:
        return
    yield f"letters {spelling}"
    for place in range(len(spelling)):
        yield f"letters {spelling[:place]}{spelling[place + 1 :]}"


def _words(name: str) -> Iterator[str]:
    """Yield the names that may have been added to: words between hyphens, beginnings, ends."""
    for word in name.split("-") if "-" in name else ():
        if len(word) >= _LEAST_INSIDE - 1:
            yield word
    for length in range(len(name) - 1, _LEAST_INSIDE - 1, -1):
        yield name[:length]
        yield name[-length:]
