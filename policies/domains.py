"""Domain names as text, in the one spelling in which they are compared (RFC 5890 §2.3.2.1)."""

from __future__ import annotations


def domain_key(domain: str) -> str:
    """Return `domain` for comparing: lower case, A-labels, no final dot.

    A name that cannot be written in A-labels stays as it is, so that it equals only itself.
    """
    key = domain.rstrip(".").lower()
    if key.isascii():
        return key
    try:
        return key.encode("idna").decode("ascii")
    except UnicodeError:
        return key
