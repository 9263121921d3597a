"""Whom mail is taken for: no open relay (RFC 2505 §2.1, RFC 5321 §3.6.2).

A recipient is ours when the domain behind its last `@` is. What stands before it must not be an
address of its own: percent hack, bang path and quoted `@` are ways to have the next hop relay what
we would not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.address import domain_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.address import Mailbox

_ROUTING: Final = frozenset("%!@:")


class RecipientDomains:
    """The domains of one listener; `*.example.org` stands for every name below it.

    Args:
        domains: As configured. None at all means that every recipient is taken, which
            configuration allows only where strangers cannot connect.
    """

    def __init__(self, domains: Sequence[str]) -> None:
        keys = [domain_key(domain) for domain in domains]
        self._exact = frozenset(key for key in keys if not key.startswith("*."))
        self._below = tuple(key[1:] for key in keys if key.startswith("*."))
        self._open = not keys

    def accept(self, recipient: Mailbox) -> bool:
        """Return whether mail for `recipient` is taken."""
        if self._open:
            return True
        if not recipient.domain:
            # RFC 5321 §4.5.1: postmaster without a domain is ours.
            return recipient.is_postmaster
        if not _ROUTING.isdisjoint(recipient.local_part):
            return False
        key = recipient.domain_key
        return (
            key in self._exact or key.endswith(self._below) if self._below else key in self._exact
        )
