"""Registrable domains: what somebody can register below a public suffix (publicsuffix.org).

The list comes with the package publicsuffixlist and is read when the first name is asked for.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from publicsuffixlist import PublicSuffixList

if TYPE_CHECKING:
    from collections.abc import Iterator

# Ends of names inside of others, as of `www.bank.com.evil.example`; newer ones are everyday words.
_INNER_TOPS: Final = frozenset(("com", "net", "org", "gov", "edu", "info", "biz"))
_COUNTRY: Final = 2
_LEAST_NAME: Final = 3


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


def domain_in_host(host: str) -> str:
    """Return the domain that `host` begins like: `bank.com` of `www.bank.com.evil.example`.

    Empty where there is none. One right below a country is none, for the names of countries are
    those of languages, too: `shop.de.example.com`.
    """
    for inner, sure in domains_inside(host):
        name, _, suffix = inner.partition(".")
        if sure and len(name) >= _LEAST_NAME and len(suffix) != _COUNTRY:
            return inner
    return ""


def domains_inside(host: str) -> Iterator[tuple[str, bool]]:
    """Yield what reads like a registrable domain inside of a host in lower-case A-labels.

    A hyphen may stand for the dot behind it, as in `bank.com-login.example`. With each comes
    whether it is hardly anything else; in a name that somebody registered only `com-` is that, for
    `net-watch.example` is an everyday one, and `com.com` is somebody's.
    """
    domain = registrable_domain(host)
    labels = host.rstrip(".").split(".") if domain else []
    registered = len(labels) - domain.count(".") - 1
    for end in range(1, registered + 1):
        top, hyphen, _ = labels[end].partition("-")
        if not (top in _INNER_TOPS or (len(top) == _COUNTRY and is_top_level(top))):
            continue
        if end == registered and not (hyphen or (top == "com" and is_top_level(labels[-1]))):
            continue
        inner = registrable_domain(".".join([*labels[max(end - 2, 0) : end], top]))
        if inner:
            yield inner, end < registered or labels[end].startswith("com-")


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
