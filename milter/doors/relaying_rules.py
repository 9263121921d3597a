"""Whom mail is taken for: no open relay (RFC 2505 §2.1, RFC 5321 §3.6.2).

A recipient is ours when the domain behind its last `@` is. What stands before it must not be an
address of its own: percent hack, bang path and quoted `@` are ways to have the next hop relay what
we would not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.address import domain_key
from milter.core.connection import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.address import Mailbox

_ROUTING: Final = frozenset("%!@:")


class RecipientDomains:
    """The domains of one listener; `*.example.org` stands for every name below it.

    Args:
        domains: As configured. None at all means that every recipient is taken, which
            configuration allows only where strangers cannot connect.
        direction: Of the listener.
    """

    def __init__(self, domains: Sequence[str], direction: Direction) -> None:
        keys = [domain_key(domain) for domain in domains]
        self._exact = frozenset(key for key in keys if not key.startswith("*."))
        self._below = tuple(key[1:] for key in keys if key.startswith("*."))
        self._open = not keys
        self._outbound = direction is Direction.OUTBOUND

    def accept(self, recipient: Mailbox) -> bool:
        """Return whether mail for `recipient` is taken."""
        if self._open:
            return True
        if not recipient.domain:
            # RFC 5321 §4.5.1: postmaster without a domain is ours.
            return recipient.is_postmaster
        if not _ROUTING.isdisjoint(recipient.local_part):
            return False
        return self._names(recipient)

    def is_our_postmaster(self, recipient: Mailbox) -> bool:
        """Return whether `recipient` is the postmaster here, who is never refused for content.

        RFC 5321 §4.5.1 asks it of whoever takes mail for a domain; what our own users send to the
        postmasters of others is judged like anything else.
        """
        if not recipient.is_postmaster:
            return False
        if not recipient.domain or (self._open and not self._outbound):
            return True
        return self._names(recipient)

    def _names(self, recipient: Mailbox) -> bool:
        key = recipient.domain_key
        return key in self._exact or (bool(self._below) and key.endswith(self._below))
