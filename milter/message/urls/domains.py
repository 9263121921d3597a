"""Registrable domains: what somebody can register below a public suffix (publicsuffix.org).

The list comes with the package publicsuffixlist and is read when the first name is asked for.
"""

from __future__ import annotations

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=8192)
def registrable_domain(host: str) -> str:
    """Return the registrable domain of `host`, given in lower-case A-labels.

    Empty for an address, for a public suffix itself, and for a single label.

    >>> registrable_domain("www.login.example.co.uk")
    'example.co.uk'
    """
    if "." not in host or host[0] == "[" or host.rpartition(".")[2].isdigit():
        return ""
    return _suffixes().privatesuffix(host.rstrip(".")) or ""


def public_suffix(host: str) -> str:
    """Return the public suffix of `host`, given in lower-case A-labels: `co.uk`."""
    return _suffixes().publicsuffix(host.rstrip(".")) or ""


@lru_cache(maxsize=4096)
def is_top_level(label: str) -> bool:
    """Return whether `label`, in lower case, is a top-level domain that the list knows."""
    return _known_suffixes().publicsuffix(label) is not None


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@cache
def _known_suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)
