"""Who gets a message in place of whom, where a mail server is told to change its recipients. Pure.

A mail server deletes every entry of an address, those that were just added included, and says 250
to a message that is left without any: who is to get the message is never deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.address import Mailbox


class Redirection(NamedTuple):
    """What is to be changed.

    Attributes:
        added: Whom to add.
        deleted: Whom to delete, by their places among the recipients.
    """

    added: tuple[Mailbox, ...]
    deleted: tuple[int, ...]


def redirection(recipients: Sequence[tuple[Mailbox, Mailbox | None]]) -> Redirection:
    """Return what is to be changed.

    Args:
        recipients: All, each with who gets the message instead; None: nobody does.
    """
    targets = {_key(target): target for _, target in recipients if target is not None}
    there = {_key(mailbox) for mailbox, _ in recipients}
    return Redirection(
        tuple([target for key, target in targets.items() if key not in there]),
        tuple(
            [
                place
                for place, (mailbox, target) in enumerate(recipients)
                if target is not None and _key(mailbox) not in targets
            ]
        ),
    )


def _key(mailbox: Mailbox) -> str:
    """Return the spelling for comparing; mail servers look at no case of a local part."""
    return mailbox.plain.lower()
