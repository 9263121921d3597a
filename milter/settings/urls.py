"""Secrets in addresses: they belong into files, and must not be shown where they stand."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit, urlunsplit

_HIDDEN = "***"


def has_password(url: str) -> bool:
    """Return whether a password stands in `url`, before its host or behind its path.

    >>> has_password("redis://gatepost@127.0.0.1:6379/0")
    False
    >>> has_password("redis://127.0.0.1:6379/0?password=x")
    True
    """
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password" in dict(parse_qsl(parts.query))
    except ValueError:
        return False  # no address at all; told elsewhere, as that


def without_secrets(url: str) -> str:
    """Return `url` with all hidden that may be a secret.

    >>> without_secrets("http://me:x@127.0.0.1:4318/v1/traces?key=x")
    'http://***@127.0.0.1:4318/v1/traces?***'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return _HIDDEN
    _, known, place = parts.netloc.rpartition("@")
    netloc = f"{_HIDDEN}@{place}" if known else place
    query = _HIDDEN if parts.query else ""
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))
