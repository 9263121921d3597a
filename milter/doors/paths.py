"""Paths that a mail server has accepted already: read as far as they can be."""

from __future__ import annotations

import re
from typing import Final

from milter.core.address import MAX_DOMAIN, MAX_LOCAL_PART, Mailbox, parse_path
from milter.core.errors import ParseError

# What parts addresses, or words of one (RFC 5322 §3.2.3).
_SPECIAL: Final = re.compile(r'[\s"(),:;<>@\[\\\]]')


def accepted_mailbox(path: str, hostname: str) -> Mailbox | None:
    """Return the mailbox in a path of MAIL or RCPT; None for the null path.

    A local user's name stands alone, and what is no address by RFC 5321 §4.1.2 is divided at its
    last `@`.

    Args:
        path: As it came.
        hostname: The domain of addresses that have none.
    """
    words = _bracketed(path)
    try:
        return parse_path(words)[0]
    except ParseError:
        pass
    local, found, domain = words.removeprefix("<").removesuffix(">").rpartition("@")
    if not found:
        local, domain = domain, hostname
    return Mailbox(_visible(local, MAX_LOCAL_PART), _visible(domain, MAX_DOMAIN))


def is_ambiguous(path: str) -> bool:
    """Return whether a lenient mail server may know another mailbox by `path` than we do.

    So it is with comments, brackets in brackets, commas and source routes.
    """
    words = _bracketed(path)
    try:
        return bool(parse_path(words)[1]) or words.startswith("<@")
    except ParseError:
        pass
    local, _, domain = words.removeprefix("<").removesuffix(">").rpartition("@")
    return _SPECIAL.search(local) is not None or _SPECIAL.search(domain) is not None


def _bracketed(path: str) -> str:
    words = path.strip()
    return words if words.startswith("<") else f"<{words}>"


def _visible(words: str, length: int) -> str:
    return "".join(c if c.isprintable() else "?" for c in words[:length])
