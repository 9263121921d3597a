"""What the client was offered in the name of the next hop, where the host in use does not have it.

EHLO offers what the hosts had that were known then; the one that takes over may have less. Its
refusal of a parameter is final, and yet the client did nothing wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.relay.protocol import Capabilities

# RFC 6152, RFC 3461, RFC 6531, RFC 8689: parameters of MAIL and RCPT, with what must be offered.
_EXTENSIONS: Final = {
    b"BODY": "8BITMIME",
    b"RET": "DSN",
    b"ENVID": "DSN",
    b"NOTIFY": "DSN",
    b"ORCPT": "DSN",
    b"SMTPUTF8": "SMTPUTF8",
    b"REQUIRETLS": "REQUIRETLS",
}
# RFC 5321 §4.1.1.11: 555 is for parameters that are not known; other servers say 501 or 504. 553
# is what an address in UTF-8 gets. All else, such as 550, is about something else.
_NOT_KNOWN: Final = frozenset({501, 504, 553, 555})
_NOT_NOW: Final = Reply.of(451, "4.3.0 The next mail server in use does not support this now")


def not_for_good(
    reply: Reply, argument: bytes, here: Capabilities, elsewhere: Callable[[str], bool]
) -> Reply:
    """Return what the client hears of `reply`: all of it, but 451 for a promise that was not kept.

    Args:
        reply: To MAIL or RCPT.
        argument: What followed the verb: a path and parameters.
        here: What the host offers that answered.
        elsewhere: Whether another host offered an extension when it was spoken to last.
    """
    if reply.code not in _NOT_KNOWN:
        return reply
    for word in argument.partition(b"> ")[2].split():
        extension = _EXTENSIONS.get(word.partition(b"=")[0].upper())
        if extension is not None and not here.offers(extension) and elsewhere(extension):
            return _NOT_NOW
    return reply
