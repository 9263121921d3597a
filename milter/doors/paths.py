"""Paths that a mail server has accepted already: read as far as they can be."""

from __future__ import annotations

from milter.core.address import MAX_DOMAIN, MAX_LOCAL_PART, Mailbox, parse_path
from milter.core.errors import ParseError


def accepted_mailbox(path: str, hostname: str) -> Mailbox | None:
    """Return the mailbox in a path of MAIL or RCPT; None for the null path.

    A local user's name stands alone, and what is no address by RFC 5321 §4.1.2 is divided at its
    last `@`.

    Args:
        path: As it came.
        hostname: The domain of addresses that have none.
    """
    words = path.strip()
    try:
        return parse_path(words if words.startswith("<") else f"<{words}>")[0]
    except ParseError:
        pass
    local, found, domain = words.removeprefix("<").removesuffix(">").rpartition("@")
    if not found:
        local, domain = domain, hostname
    return Mailbox(_visible(local, MAX_LOCAL_PART), _visible(domain, MAX_DOMAIN))


def _visible(words: str, length: int) -> str:
    return "".join(c if c.isprintable() else "?" for c in words[:length])
