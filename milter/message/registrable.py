"""Registrable domains: what somebody can register below a public suffix (publicsuffix.org).

The list comes with a package and is read when the first name is asked for.
"""

from __future__ import annotations

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=8192)
def registrable_domain(host: str) -> str:
    """Return the registrable domain of `host`; empty for an address and for a public suffix.

    >>> registrable_domain("www.login.example.co.uk")
    'example.co.uk'
    """
    if "." not in host or host.startswith("[") or host.rstrip(".")[-1:].isdigit():
        return ""
    return _suffixes().privatesuffix(host.rstrip(".").lower()) or ""


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
