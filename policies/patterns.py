"""Patterns of a policy over the views of a message, in linear time.

How one pattern is understood is `policies.engine`. A prefilter (`policies.prefilter`) can be put
before a view; it spares work and changes no answer. This module knows nothing of weights nor of
messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from policies.engine import PatternSpec, compile_pattern, plain
from policies.gaps import loosened
from policies.widths import widest

if TYPE_CHECKING:
    from policies.prefilter import Prefilter

View = str | bytes | Sequence[str]

_EXCERPT: Final = 80
# Of a character in UTF-8, at most.
_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class PatternHit:
    """The first match of one pattern.

    Attributes:
        id: The pattern.
        view: The view it was found in.
        start: Where the match begins: characters of a text, bytes of `raw`; of its item in a list.
        end: Where it ends.
        excerpt: The matched text, shortened, unprintable characters replaced.
    """

    id: str
    view: str
    start: int
    end: int
    excerpt: str


class _Pattern:
    """A pattern that is compiled when it is first asked: of those that are shipped, few ever are.

    Attributes:
        spec: What it is.
    """

    __slots__ = ("_loose", "_reach", "_regexp", "_width", "spec")

    def __init__(self, spec: PatternSpec) -> None:
        self.spec = spec
        # RE2 ships no types.
        self._regexp: Any = None
        # Of its widest match, in characters; None: it has no bound.
        self._width: int | None = None
        # The pattern without the ends of its wide gaps, and the bytes within which that is the
        # same.
        self._loose: Any = None
        self._reach = 0

    def compile(self) -> None:
        """Compile it, unless that is done."""
        if self._regexp is not None:
            return
        self._width = widest(plain(self.spec))
        if (loose := loosened(self.spec.text)) is not None:
            self._loose = compile_pattern(replace(self.spec, text=loose.text))
            self._reach = loose.reach
        # The last, for messages are matched in several threads.
        self._regexp = compile_pattern(self.spec)

    def search(self, data: bytes, first_end: int) -> Any:
        """Return the first match in `data`, none of which ends before `first_end`, or None.

        The text before the first place where a match can begin is not gone through again, unless
        nothing is found behind it: that Hyperscan tells of the first match first is what it does,
        not what it promises.
        """
        if self._regexp is None:
            self.compile()
        start = 0
        if self._width is not None:
            width = self._width if data.isascii() else self._width * _BYTES
            start = max(0, first_end - width)
        found = self._search_from(data, start)
        return self._search_from(data, 0) if found is None and start else found

    def search_item(self, item: bytes) -> Any:
        """Return the first match in one of a list, or None."""
        self.compile()
        return self._regexp.search(item)

    def _search_from(self, data: bytes, start: int) -> Any:
        if self._loose is not None:
            found = self._loose.search(data, start)
            if found is None or found.end() - found.start() <= self._reach:
                return found
            start = found.start()
        return self._regexp.search(data, start)


class PatternSet:
    """The patterns of all policies.

    Args:
        patterns: Those that RE2 takes; `compile` tries any.
    """

    __slots__ = ("_by_view", "_prefilters", "patterns")

    def __init__(self, patterns: Iterable[PatternSpec]) -> None:
        self.patterns = tuple(patterns)
        self._prefilters: dict[str, Prefilter] = {}
        self._by_view: dict[str, list[_Pattern]] = {}
        for spec in self.patterns:
            self._by_view.setdefault(spec.view, []).append(_Pattern(spec))

    @classmethod
    def compile(cls, patterns: Iterable[PatternSpec]) -> PatternSet:
        """Return the set of `patterns`, all of them compiled.

        Raises:
            PatternError: One of them is refused.
        """
        made = cls(patterns)
        for view in made.views:
            made.compile_view(view)
        return made

    def only(self, ids: frozenset[str]) -> PatternSet:
        """Return those of these patterns that have one of `ids`; what is compiled is shared."""
        some = PatternSet(spec for spec in self.patterns if spec.id in ids)
        for view in some.views:
            some._by_view[view] = [each for each in self._by_view[view] if each.spec.id in ids]
        return some

    def written(self) -> dict[str, list[str]]:
        """Return the patterns of each view as they are given to an engine."""
        return {
            view: [plain(each.spec) for each in patterns]
            for view, patterns in self._by_view.items()
        }

    def compile_view(self, view: str) -> None:
        """Compile the patterns of `view` now: without a prefilter, each message asks all of them.

        Raises:
            PatternError: One of them is refused.
        """
        for each in self._by_view[view]:
            each.compile()

    def arm(self, view: str, prefilter: Prefilter) -> None:
        """Ask only the patterns of `view` that `prefilter` finds; the answers stay the same."""
        self._prefilters[view] = prefilter

    @property
    def armed(self) -> frozenset[str]:
        """The views that have a prefilter."""
        return frozenset(self._prefilters)

    @property
    def views(self) -> frozenset[str]:
        """The views that some pattern looks at."""
        return frozenset(self._by_view)

    def match(self, view: Callable[[str], View]) -> list[PatternHit]:
        """Return the first match of each pattern that matches, in the order of views and patterns.

        Args:
            view: Gives a view by name; asked once for each view that a pattern looks at. An absent
                one is empty.
        """
        hits: list[PatternHit] = []
        for name, compiled in self._by_view.items():
            content = view(name)
            prefilter = self._prefilters.get(name)
            if isinstance(content, str | bytes):
                _search(compiled, prefilter, content, hits)
            else:
                _search_items(compiled, prefilter, content, hits)
        return hits


def _search(
    compiled: Sequence[_Pattern],
    prefilter: Prefilter | None,
    content: str | bytes,
    hits: list[PatternHit],
) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
    if not data:
        return
    for pattern, first_end in _candidates(compiled, prefilter, data):
        found = pattern.search(data, first_end)
        if found is not None and found.end() > found.start():
            hits.append(_hit(pattern.spec, data, found.span()))


def _candidates(
    compiled: Sequence[_Pattern], prefilter: Prefilter | None, data: bytes
) -> list[tuple[_Pattern, int]]:
    """Return the patterns that can match, each with the offset before which no match ends."""
    found = prefilter.candidates(data) if prefilter is not None else None
    if found is None:
        return [(pattern, 0) for pattern in compiled]
    return [(compiled[index], first_end) for index, first_end in found]


def _search_items(
    compiled: Sequence[_Pattern],
    prefilter: Prefilter | None,
    items: Sequence[str],
    hits: list[PatternHit],
) -> None:
    """Search the items joined into one text; only what matches across two is looked at one by one.

    A pattern and a thousand links would else be a thousand searches.
    """
    encoded = [item.replace("\n", " ").encode("utf-8", "replace") for item in items]
    joined = b"\n".join(encoded)
    if not joined:
        return
    for pattern, first_end in _candidates(compiled, prefilter, joined):
        found = pattern.search(joined, first_end)
        if found is None or found.end() == found.start():
            continue
        start, end = found.span()
        if b"\n" in joined[start:end]:
            _search_each(pattern, encoded, hits)
        else:
            line = joined.rfind(b"\n", 0, start) + 1
            item = joined[line:].partition(b"\n")[0]
            hits.append(_hit(pattern.spec, item, (start - line, end - line)))


def _search_each(pattern: _Pattern, items: Iterable[bytes], hits: list[PatternHit]) -> None:
    for item in items:
        found = pattern.search_item(item)
        if found is not None and found.end() > found.start():
            hits.append(_hit(pattern.spec, item, found.span()))
            return


def _hit(spec: PatternSpec, data: bytes, span: tuple[int, int]) -> PatternHit:
    start, end = span
    encoding = "latin-1" if spec.view == "raw" else "utf-8"
    matched = data[start:end].decode(encoding, "replace")
    excerpt = matched[:_EXCERPT]
    if not excerpt.isprintable():
        excerpt = "".join(c if c.isprintable() else " " for c in excerpt)
    if spec.view != "raw":
        start = len(data[:start].decode(encoding, "replace"))
        end = start + len(matched)
    return PatternHit(spec.id, spec.view, start, end, excerpt)
