"""Hyperscan before RE2: which patterns of a view can match a text at all, and from where on.

One pass over a text finds the patterns that are worth asking; RE2 then says where they match, so
that the answers are RE2's, with Hyperscan or without. What it finds may be too much, never too
little: it sees patterns as `policies.bytewise` rewrites them, and those that cannot be are left to
RE2 alone. Compiling takes seconds, so that a database is made in the background and kept as bytes;
where the library cannot be loaded, RE2 does its work alone. This module reads no file and starts
no thread.
"""

from __future__ import annotations

import hashlib
import json
import threading
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from policies.bytewise import bytewise

if TYPE_CHECKING:
    from collections.abc import Sequence

hyperscan: Any
try:
    import hyperscan
except ImportError:  # where it has no wheel
    hyperscan = None


_DIGEST: Final = 32
# Of what `build` writes; another one is another database.
_FORM: Final = 5
# The views whose texts are folded: no capital letter stands in them.
_FOLDED: Final = frozenset(("folded", "skeleton"))
# In bytes RE2 takes Latin letters for the same in both cases, Hyperscan only those of ASCII.
_RAW: Final = "raw"
# Hyperscan 0.9.1 loses words of a few bytes at the very end of what it is given, beside patterns
# that are more than a word. It is given more: line feeds, before which `bytewise` lets a text end,
# as many as the widest registers have bytes.
_PADDING: Final = b"\n" * 64
# The two letters beyond ASCII that are another case of one of ASCII, the long s and the sign for
# Kelvin: to find them, every s and k of a pattern would have to be looked for in two ways.
_LIKE_ASCII: Final = ("\u017f".encode(), "\u212a".encode())


class Prefilter:
    """Finds the patterns of one view that can match a text.

    Attributes:
        always: Indexes of the patterns that it does not know; they are always asked.
    """

    __slots__ = ("_database", "_local", "_raw", "always")

    def __init__(self, database: Any, known: Sequence[int], count: int, *, raw: bool) -> None:
        self._database = database
        self._raw = raw
        self._local = threading.local()
        self.always = tuple(sorted(set(range(count)) - set(known)))

    def candidates(self, data: bytes) -> list[tuple[int, int]] | None:
        """Return the patterns that can match, by rising index; None: all must be asked.

        Beside the index stands the offset before which no match of the pattern ends. Hyperscan
        tells of a pattern once, at the first offset at which it is found.
        """
        if not self._raw and not data.isascii() and any(one in data for one in _LIKE_ASCII):
            return None
        found: list[tuple[int, int]] = []
        self._database.scan(
            data + _PADDING, match_event_handler=_take, context=found, scratch=self._scratch()
        )
        size = len(data)
        # What is found behind the end can still match before it.
        found = [(index, end if end < size else size) for index, end in found]
        return sorted(found + [(index, 0) for index in self.always])

    def _scratch(self) -> Any:
        # Large messages are matched in threads; each needs a scratch space of its own.
        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        return scratch


def _take(found: int, start: int, end: int, flags: int, context: object) -> None:
    assert isinstance(context, list)  # noqa: S101 - the list that `candidates` gave
    context.append((found, end))


def is_available() -> bool:
    """Whether Hyperscan can be used on this machine."""
    return hyperscan is not None


def key_of(view: str, patterns: Sequence[str]) -> str:
    """Return under which name a database for these patterns is kept."""
    versions = [hyperscan.__version__ if hyperscan else "", unicodedata.unidata_version]
    content = json.dumps([_FORM, versions, view == _RAW, view in _FOLDED, list(patterns)]).encode()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def build(view: str, patterns: Sequence[str]) -> bytes:
    """Return the database for the patterns of a view, as bytes; takes seconds.

    Args:
        view: The view they are for.
        patterns: As RE2 is given them.
    """
    written = {
        index: pattern
        for index, text in enumerate(patterns)
        if (view != _RAW or text.isascii())
        and (pattern := bytewise(text, folded=view in _FOLDED)) is not None
    }
    made = _made(written)
    if made is None:
        written = {index: text for index, text in written.items() if _made({index: text})}
        made = _made(written)
    database = hyperscan.dumpb(made) if written else b""
    head = json.dumps({"known": list(written), "count": len(patterns), "raw": view == _RAW})
    body = len(head).to_bytes(4, "big") + head.encode() + database
    return hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def is_whole(data: bytes) -> bool:
    """Whether `data` is what `build` has returned, undamaged."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    return len(body) > 4 and hashlib.blake2b(body, digest_size=_DIGEST).digest() == digest


def load(data: bytes) -> Prefilter | None:
    """Return the prefilter in `data`; None where it is damaged, or from another machine."""
    if not is_whole(data):
        return None
    body = data[_DIGEST:]
    end = 4 + int.from_bytes(body[:4], "big")
    head = json.loads(body[4:end])
    if not head["known"]:
        return None
    try:
        database = hyperscan.loadb(body[end:], hyperscan.HS_MODE_BLOCK)
        return Prefilter(database, head["known"], head["count"], raw=head["raw"])
    except hyperscan.error:
        return None


def _made(texts: dict[int, str]) -> Any:
    """Return the database of `texts`, by their indexes; None where one cannot be compiled."""
    # A rewritten pattern may match the empty text, though no pattern does.
    flags = (
        hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_ALLOWEMPTY
    )
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[text.encode() for text in texts.values()],
            ids=list(texts),
            elements=len(texts),
            flags=[flags] * len(texts),
        )
    except hyperscan.error:
        return None
    return database
