"""What EHLO offers (RFC 5321 §4.1.1.1, RFC 1869).

Three kinds: what we do ourselves, what the next hop must do for us and is therefore mirrored, and
what only a trusted client is told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.reply import Reply
from milter.smtp.client_identity import XCLIENT_ATTRIBUTES, XFORWARD_ATTRIBUTES

if TYPE_CHECKING:
    from milter.relay.protocol import Capabilities
    from milter.smtp.door import Door

# RFC 6152, RFC 3461, RFC 6531: promises that only the next hop can keep.
_MIRRORED: Final = ("8BITMIME", "DSN", "SMTPUTF8")


def offered_extensions(
    capabilities: Capabilities | None,
    message_bytes: int,
    *,
    starttls: bool,
    requiretls: bool,
    trusted: bool,
) -> list[str]:
    """Return the EHLO keywords with their parameters, in the order in which they are sent.

    Args:
        capabilities: Of every next hop in use; None while unknown, and then nothing is mirrored.
        message_bytes: Our own bound; the smaller of it and the next hop's is offered (RFC 1870 §3).
        starttls: Whether the connection can still be encrypted.
        requiretls: Whether client and next hop are both on TLS that RFC 8689 §2 asks for.
        trusted: Whether the client may speak for others.
    """
    size = message_bytes
    if capabilities is not None and capabilities.size:
        size = min(size, capabilities.size)
    lines = [f"SIZE {size}", "PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING"]
    if capabilities is not None:
        lines += [name for name in _MIRRORED if capabilities.offers(name)]
        if requiretls and capabilities.offers("REQUIRETLS"):
            lines.append("REQUIRETLS")
    if starttls:
        lines.append("STARTTLS")
    if trusted:
        lines.append("XCLIENT " + " ".join(XCLIENT_ATTRIBUTES))
        lines.append("XFORWARD " + " ".join(XFORWARD_ATTRIBUTES))
    return lines


def ehlo_reply(door: Door, *, tls: bool, trusted: bool) -> Reply:
    """Return the reply to EHLO (RFC 5321 §4.1.1.1).

    Args:
        door: The listener.
        tls: Whether the connection is encrypted.
        trusted: Whether the client may speak for others.
    """
    extensions = offered_extensions(
        door.next_hop.capabilities,
        door.bounds.message_bytes,
        starttls=door.tls is not None and not tls,
        requiretls=tls and door.next_hop.verified_tls,
        trusted=trusted,
    )
    lines = (door.hostname, *extensions)
    return Reply(250, tuple(line.encode("ascii", "replace") for line in lines))
