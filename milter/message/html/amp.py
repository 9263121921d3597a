"""AMP for Email: the part that some mail readers show in the place of the HTML one (amp.dev).

It is HTML with elements of its own. A style that every such page must have hides all of it until
the runtime shows it; whoever reads it sees it.
"""

from __future__ import annotations

import re
from typing import Final

TYPE: Final = "text/x-amp-html"
# The runtime and its elements, which come from one place and are no scripts of the sender.
_RUNTIME: Final = re.compile(
    r"<style\s+amp4email-boilerplate\b[^<>]*+>[^<]*+</style\s*+>"
    r"|<script\b[^<>]{0,200}?\bsrc\s{0,5}=\s{0,5}[\"']?https://cdn\.ampproject\.org/[^<>]*+>\s*+</script\s*+>",
    re.IGNORECASE,
)


def as_shown(page: str) -> str:
    """Return a page of AMP as HTML that shows what its runtime does."""
    return _RUNTIME.sub("", page)
