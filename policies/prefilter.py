"""Hyperscan before RE2: which patterns of a view can match a text at all.

One pass over a text finds the patterns that are worth asking; RE2 then says where they match, so
that the answers are RE2's, with Hyperscan or without. What it finds may be too much, never too
little: patterns and texts that the two engines see differently are left to RE2 alone. Compiling
takes seconds, so that a database is made in the background and kept as bytes; where the library
cannot be loaded, RE2 does its work alone. This module reads no file and starts no thread.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

hyperscan: Any
try:
    import hyperscan
except ImportError:  # where it has no wheel
    hyperscan = None


# Fewer patterns are asked one by one in less time than the pass takes.
LEAST: Final = 8
# A gap between two parts of a pattern: `.{0,80}`, `.*`.
_GAP: Final = re.compile(r"\.(?:\{\d*,\d*\}|\*)\??")
# What stands outside of groups and classes is told from what stands inside by these.
_STEP: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|.", re.DOTALL)
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z-]*\)|\\Q")
_DIGEST: Final = 32
# Of what `build` writes; another one is another database.
_FORM: Final = 2
# A pattern, and the parts that all stand where it matches.
Way = tuple[int, Sequence[int]]
_PLAIN: Final = ("(?:", "(?m)", "(?s)")
# Letters that got a partner of the other case after the version of Unicode that Hyperscan has. A
# test tries every letter with both engines; of each pair that differs the later one stands here.
_LATE: Final = (
    "\u13f8-\u13fd\u1c80-\u1c87\u1c90-\u1cba\u1cbd-\u1cbf\u2c5f\ua64a-\ua64b\ua7ae\ua7b2"
    "\ua7b5-\ua7ca\ua7d1\ua7d7-\ua7d9\ua7f6\uab53\uab70-\uabbf\U000104d8-\U000104fb"
    "\U00010597-\U000105bc\U00010cc0-\U00010cf2\U00016e60-\U00016e7f\U0001e922-\U0001e943"
)
_LATE_LETTER: Final = re.compile(f"[{_LATE}]")
# Classes of letters by name and letters by number may hold late ones; `\C` splits characters.
_BY_NAME: Final = re.compile(r"\\[pPxC]|\\0?[2-7][0-7]{2}|\[:\^?\w+:\]")
_RANGE: Final = re.compile("(.)-([^\\x00-\\x7f])", re.DOTALL)
# In bytes RE2 takes Latin letters for the same in both cases, Hyperscan only those of ASCII.
_RAW: Final = "raw"


class Prefilter:
    """Finds the patterns of one view that can match a text.

    Attributes:
        always: Indexes of the patterns that it does not know; they are always asked.
    """

    __slots__ = ("_database", "_local", "_needed", "_of_part", "_raw", "always")

    def __init__(self, database: Any, ways: Sequence[Way], count: int, *, raw: bool) -> None:
        self._database = database
        self._raw = raw
        self._local = threading.local()
        # A way is a pattern and the parts that it needs, all of them; a pattern may have several.
        self._needed = tuple((pattern, frozenset(parts)) for pattern, parts in ways)
        self._of_part: dict[int, list[int]] = {}
        for way, (_, parts) in enumerate(ways):
            for part in parts:
                self._of_part.setdefault(part, []).append(way)
        self.always = tuple(sorted(set(range(count)) - {pattern for pattern, _ in ways}))

    def candidates(self, data: bytes) -> list[int] | None:
        """Return the indexes of patterns that can match, rising; None: all must be asked."""
        if not self._raw and not data.isascii() and _LATE_LETTER.search(data.decode("utf-8")):
            return None
        found: list[int] = []
        self._database.scan(data, match_event_handler=_take, context=found, scratch=self._scratch())
        parts = set(found)
        patterns = set(self.always)
        for part in parts:
            for way in self._of_part[part]:
                pattern, needed = self._needed[way]
                if pattern not in patterns and needed <= parts:
                    patterns.add(pattern)
        return sorted(patterns)

    def _scratch(self) -> Any:
        # Large messages are matched in threads; each needs a scratch space of its own.
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch


def _take(found: int, start: int, end: int, flags: int, context: object) -> None:
    assert isinstance(context, list)  # noqa: S101 - the list that `candidates` gave
    context.append(found)


def is_available() -> bool:
    """Whether Hyperscan can be used on this machine."""
    return hyperscan is not None


def key_of(view: str, patterns: Sequence[str]) -> str:
    """Return under which name a database for these patterns is kept."""
    version = hyperscan.__version__ if hyperscan else ""
    content = json.dumps([_FORM, version, view == _RAW, _LATE, list(patterns)]).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def build(view: str, patterns: Sequence[str]) -> bytes:
    """Return the database for the patterns of a view, as bytes; takes seconds.

    Args:
        view: The view they are for.
        patterns: As RE2 is given them.
    """
    flags = _flags(view)
    split_up = {index: split(text) for index, text in enumerate(patterns) if _suits(view, text)}
    every = dict.fromkeys(part for each in split_up.values() for parts in each for part in parts)
    known = list(every)
    made = _made(known, flags)
    if made is None:
        known = [part for part in known if _made([part], flags) is not None]
        made = _made(known, flags)
    numbers = {part: number for number, part in enumerate(known)}
    ways = [way for index, each in split_up.items() for way in _ways(index, each, numbers)]
    database = hyperscan.dumpb(made) if known else b""
    head = json.dumps({"ways": ways, "count": len(patterns), "raw": view == _RAW}).encode()
    body = len(head).to_bytes(4, "big") + head + database
    return hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def is_whole(data: bytes) -> bool:
    """Whether `data` is what `build` has returned, undamaged."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    return len(body) > 4 and hashlib.blake2b(body, digest_size=_DIGEST).digest() == digest


def load(data: bytes) -> Prefilter | None:
    """Return the prefilter in `data`; None where it is damaged, or from another machine."""
    if hyperscan is None or not is_whole(data):
        return None
    body = data[_DIGEST:]
    end = 4 + int.from_bytes(body[:4], "big")
    head = json.loads(body[4:end])
    if not head["ways"]:
        return None
    try:
        database = hyperscan.loadb(body[end:], hyperscan.HS_MODE_BLOCK)
        return Prefilter(database, head["ways"], head["count"], raw=head["raw"])
    except hyperscan.error:
        return None


def _ways(
    index: int, alternatives: Sequence[Sequence[str]], numbers: Mapping[str, int]
) -> list[Way]:
    """Return the ways in which a pattern can match; none where one of them needs no known part."""
    needed = [[numbers[part] for part in parts if part in numbers] for parts in alternatives]
    return [(index, parts) for parts in needed] if all(needed) else []


def split(text: str) -> list[list[str]]:
    """Return the alternatives of a pattern, each as the parts between its gaps.

    Where the pattern matches, all parts of an alternative do. A gap of a hundred characters makes
    hundreds of states, and a pattern with two of them takes Hyperscan minutes to compile.
    """
    if _FLAGS.search(text, 1) or (text.startswith("(?") and not text.startswith(_PLAIN)):
        return [[text]]
    heading = text[: text.index(")") + 1] if text.startswith(("(?m)", "(?s)")) else ""
    alternatives: list[list[str]] = [[""]]
    depth, place = 0, len(heading)
    while place < len(text):
        gap = _GAP.match(text, place) if depth == 0 else None
        step = gap or _STEP.match(text, place)
        assert step is not None  # noqa: S101 - the last alternative of it takes any character
        piece = step[0]
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if gap:
            alternatives[-1].append("")
        elif piece == "|" and depth == 0:
            alternatives.append([""])
        else:
            alternatives[-1][-1] += piece
        place = step.end()
    return [[heading + part for part in parts if part] for parts in alternatives]


def _suits(view: str, text: str) -> bool:
    """Whether both engines see the pattern alike, but for what Hyperscan finds too much."""
    if _BY_NAME.search(text) or (view == _RAW and not text.isascii()):
        return False
    if _LATE_LETTER.search(text):
        return False
    return not any(_spans_late(first, last) for first, last in _RANGE.findall(text))


def _spans_late(first: str, last: str) -> bool:
    return any(_LATE_LETTER.match(chr(each)) for each in range(ord(first), ord(last) + 1))


def _flags(view: str) -> int:
    flags = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
    # A part may match the empty text, though no pattern does.
    flags |= hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_ALLOWEMPTY
    return int(flags if view == _RAW else flags | hyperscan.HS_FLAG_UTF8)


def _made(texts: Sequence[str], flags: int) -> Any:
    """Return the database of `texts`; None where one of them cannot be compiled."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[text.encode() for text in texts],
            ids=list(range(len(texts))),
            elements=len(texts),
            flags=[flags] * len(texts),
        )
    except hyperscan.error:
        return None
    return database
