"""How many characters a match of a pattern can have.

Told from the text of the pattern alone, without an engine. It may be more than a match ever has,
never less; a pattern with a repetition without end has no width.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<times>[*+?]\??|\{\d+(?:,\d*)?\}\??)
    |(?P<flags>\(\?[a-zA-Z-]*\))
    |(?P<open>\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?)
    |(?P<close>\))
    |(?P<bar>\|)
    |(?P<place>\\[AzbB]|\^|\$)
    |(?P<one>\\x\{[0-9A-Fa-f]+\}|\\[pP](?:\{\^?\w+\}|.)|\\.
        |\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|.)""",
    re.DOTALL | re.VERBOSE,
)
_QUOTED: Final = re.compile(r"\\Q")
_ENDLESS: Final = float("inf")


def widest(text: str) -> int | None:
    r"""Return the most characters that a match of the pattern `text` has; None: nobody knows.

    >>> widest(r"\b(won|prize).{0,40}lottery")
    52
    """
    if _QUOTED.search(text):
        return None
    # Of each group that is open: its widest alternative so far, and the one that is being read.
    stack: list[list[float]] = [[0, 0]]
    last: float = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "times":
            last = _repeated(last, token[0])
            continue
        stack[-1][1] += last
        last = 0
        if kind == "open":
            stack.append([0, 0])
        elif kind == "bar":
            stack[-1] = [max(stack[-1]), 0]
        elif kind == "close" and len(stack) > 1:
            last = max(stack.pop())
        elif kind == "one":
            last = 1
    stack[-1][1] += last
    width = max(stack[-1])
    return int(width) if len(stack) == 1 and width != _ENDLESS else None


def _repeated(width: float, times: str) -> float:
    """Return the width of what is `width` wide, so many times."""
    if times.startswith("?") or not width:
        return width
    numbers = re.findall(r"\d+", times)
    if not numbers or times.rstrip("?").endswith(",}"):
        return _ENDLESS
    return width * int(numbers[-1])
