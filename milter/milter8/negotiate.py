"""What is agreed on at the beginning: only what is used is asked for, of what is offered.

Every answer that the mail server does not wait for and every step that it does not send saves both
sides a turn. Header fields, their end, HELO and the connection are not answered: no decision falls
there. RCPT is, for each recipient has a policy, and so is each piece of the body, for a message
that will not be taken needs not be sent to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from typing import Final

from milter.milter8 import wire

OLDEST: Final = 2
NEWEST: Final = 6


class Actions(IntFlag):
    """What a filter may change (SMFIF_*)."""

    ADD_HEADERS = 0x01
    ADD_RECIPIENTS = 0x04
    DELETE_RECIPIENTS = 0x08
    CHANGE_HEADERS = 0x10
    QUARANTINE = 0x20
    ADD_RECIPIENTS_WITH_PARAMETERS = 0x80
    WANTED_MACROS = 0x100


class Steps(IntFlag):
    """What is not sent, not answered, or sent otherwise (SMFIP_*)."""

    NO_UNKNOWN = 0x100
    NO_DATA = 0x200
    SILENT_HEADER = 0x80
    SKIP = 0x400
    SILENT_CONNECT = 0x1000
    SILENT_HELO = 0x2000
    SILENT_MAIL = 0x4000
    SILENT_END_OF_HEADER = 0x40000
    LEADING_SPACE = 0x100000


_CHANGES: Final = (
    Actions.ADD_HEADERS
    | Actions.CHANGE_HEADERS
    | Actions.ADD_RECIPIENTS
    | Actions.DELETE_RECIPIENTS
)
_ALWAYS: Final = (
    Steps.NO_UNKNOWN
    | Steps.NO_DATA
    | Steps.SILENT_HEADER
    | Steps.SILENT_CONNECT
    | Steps.SILENT_HELO
    | Steps.SILENT_END_OF_HEADER
    | Steps.LEADING_SPACE
)
_SILENT: Final = {
    Steps.SILENT_HEADER: wire.HEADER,
    Steps.SILENT_CONNECT: wire.CONNECT,
    Steps.SILENT_HELO: wire.HELO,
    Steps.SILENT_MAIL: wire.MAIL,
    Steps.SILENT_END_OF_HEADER: wire.END_OF_HEADER,
}
# The stages of SETSYMLIST, which are not the letters of the commands (mfapi.h, SMFIM_*).
_AT_CONNECT: Final = 0
_AT_HELO: Final = 1
_AT_MAIL: Final = 2
_AT_RCPT: Final = 3
_AT_END_OF_MESSAGE: Final = 5
MACROS: Final = (
    (_AT_CONNECT, "j v {daemon_name} {client_resolve} {client_ptr}"),
    (_AT_HELO, "{tls_version} {cipher}"),
    (_AT_MAIL, "i {auth_authen}"),
    # Nothing is read of it; without a name Postfix sends all that it has.
    (_AT_RCPT, "i"),
    (_AT_END_OF_MESSAGE, "i"),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How one connection is spoken on.

    Attributes:
        answer: Our packet.
        silent: Letters of the commands that are not answered.
        leading_space: Whether a field's value comes, and goes, with the space before it.
        may_hold: Whether the mail server has a quarantine of its own.
        declines_reports: Whether a recipient can be added about whom nobody gets a report.
        skips: Whether a body need not be sent to its end, for nobody reads it.
    """

    answer: bytes
    silent: frozenset[int]
    leading_space: bool
    may_hold: bool
    declines_reports: bool
    skips: bool


# A site has few mail servers, and each offers the same on every connection.
@lru_cache(maxsize=16)
def agree(offer: wire.Negotiation, *, answers_mail: bool, reads_bodies: bool) -> Agreement:
    """Return what is agreed on with a mail server that offers `offer`.

    Args:
        offer: Its packet.
        answers_mail: Whether a decision may fall at MAIL.
        reads_bodies: Whether anything depends on the body of a message.

    Raises:
        PacketError: Nothing can be: its protocol is too old, or it lets nobody change a header.
    """
    if offer.version < OLDEST:
        raise wire.PacketError(f"version {offer.version} of the protocol")
    if offer.actions & _CHANGES != _CHANGES:
        raise wire.PacketError(f"a mail server that lets nothing be changed ({offer.actions:#x})")
    optional = Actions.QUARANTINE | Actions.ADD_RECIPIENTS_WITH_PARAMETERS | Actions.WANTED_MACROS
    actions = Actions(offer.actions & (_CHANGES | optional))
    wanted = _ALWAYS if answers_mail else _ALWAYS | Steps.SILENT_MAIL
    wanted = wanted if reads_bodies else wanted | Steps.SKIP
    steps = Steps(offer.steps & wanted)
    agreed = wire.Negotiation(min(offer.version, NEWEST), actions, steps)
    macros = MACROS if Actions.WANTED_MACROS in actions else ()
    return Agreement(
        wire.write_negotiation(agreed, macros),
        frozenset(letter for step, letter in _SILENT.items() if step in steps),
        leading_space=Steps.LEADING_SPACE in steps,
        may_hold=Actions.QUARANTINE in actions,
        declines_reports=Actions.ADD_RECIPIENTS_WITH_PARAMETERS in actions,
        skips=Steps.SKIP in steps,
    )
