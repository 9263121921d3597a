"""Domain names as text: one spelling for asking, comparing and caching (RFC 1035 §2.3.1, §2.3.4).

Knows lengths and labels. It does not judge whether a name is a host's: underscores and odd
characters are legal in the DNS and are asked for by SPF macros and DKIM selectors.
"""

from __future__ import annotations

import re
from typing import Final

from milter.core.address import domain_key

# RFC 1035 §2.3.4: labels of at most 63 octets, 255 on the wire, which is 253 as text.
_NAME: Final = re.compile(r"[ -\-/-~]{1,63}(?:\.[ -\-/-~]{1,63})*")
_MAX_NAME: Final = 253
# The same without capitals: it is in form already, as most names are.
_IN_FORM: Final = re.compile(r"[ -\-/-@\[-~]{1,63}(?:\.[ -\-/-@\[-~]{1,63})*")


def canonical_name(name: str) -> str | None:
    """Return `name` in lower case, in A-labels and without a final dot; None if it cannot be asked.

    >>> canonical_name("MX.Example.ORG.")
    'mx.example.org'
    >>> canonical_name("a..example.org") is None
    True
    """
    if len(name) <= _MAX_NAME and _IN_FORM.fullmatch(name):
        return name
    if name.endswith(".."):
        return None
    key = domain_key(name)
    if len(key) > _MAX_NAME or _NAME.fullmatch(key) is None:
        return None
    return key
