"""What a hop says in ARC-Authentication-Results about DMARC (RFC 8617 §4.1.1, RFC 8601 §2.2).

Reads just that, from a field whose writer is trusted. What the writer quoted from others, in
comments and quoted strings, cannot pass for its own words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.core.address import domain_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Each alternative begins with another character and none backtracks, so the scan is linear.
_TOKEN: Final = re.compile(
    r"""(?P<space>[\x00-\x20\x7f]+)|(?P<open>\()|(?P<sign>[;=])"""
    r"""|"(?P<quoted>(?:[^"\\]|\\.)*+)\"|(?P<word>[^\x00-\x20\x7f();="]+)|(?P<other>.)""",
    re.DOTALL,
)
_COMMENT_MARK: Final = re.compile(r"\\.|[()]", re.DOTALL)

# A quoted value can be a value, and nothing else.
_Token = tuple[str, bool]


def dmarc_passed(value: bytes) -> frozenset[str]:
    """Return the author domains for which the field with `value` says `dmarc=pass`."""
    passed = set()
    for clause in _clauses(value.decode("utf-8", "replace")):
        words = [*_assignments(clause)]
        if not words or words[0] != ("dmarc", "pass"):
            continue
        domain = next((said for name, said in words[1:] if name == "header.from"), "")
        if domain:
            passed.add(domain_key(domain.rpartition("@")[2]))
    return frozenset(passed)


def _clauses(text: str) -> Iterator[Sequence[_Token]]:
    """Yield the tokens between semicolons, without comments and white space."""
    clause: list[_Token] = []
    position = 0
    while match := _TOKEN.match(text, position):
        position = match.end()
        if match["open"]:
            position = _after_comment(text, position)
        elif match[0] == ";":
            yield clause
            clause = []
        elif match["quoted"] is not None:
            clause.append((match["quoted"], True))
        elif not match["space"]:
            clause.append((match[0], False))
    yield clause


def _assignments(clause: Sequence[_Token]) -> Iterator[tuple[str, str]]:
    """Yield each `name=value`; of the name its version is dropped, as in `dmarc/1`."""
    for place in range(1, len(clause) - 1):
        if clause[place] == ("=", False) and not clause[place - 1][1]:
            name = clause[place - 1][0].partition("/")[0].lower()
            value, quoted = clause[place + 1]
            yield name, value if quoted else value.lower()


def _after_comment(text: str, position: int) -> int:
    """Return where the comment ends that was opened before `position`; the end if it does not."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, position):
        depth += (mark[0] == "(") - (mark[0] == ")")
        if depth == 0:
            return mark.end()
    return len(text)
