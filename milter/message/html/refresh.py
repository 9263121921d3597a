"""Where `<meta http-equiv=refresh>` leads (WHATWG HTML, shared declarative refresh steps)."""

from __future__ import annotations

import re
from typing import Final

# Seconds, a sign or space behind them, `url=` or nothing. Browsers forgive nothing else.
_BEFORE: Final = re.compile(
    r"\s*+(?:\d++|(?=\.))[\d.]*+(?:\s*+[;,]\s*+|\s++)(?:url\s*+=\s*+)?", re.IGNORECASE
)
_LONGEST: Final = 4_000


def refresh_target(content: str) -> str:
    """Return the address in the value of `content`; empty where the page itself comes again."""
    content = content[:_LONGEST]
    before = _BEFORE.match(content)
    if before is None:
        return ""
    written = content[before.end() :]
    if quote := written[:1] if written[:1] in ("'", '"') else "":
        written = written[1:].partition(quote)[0]
    return written.strip()
