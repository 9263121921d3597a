"""Who the mail server's client is, from the CONNECT packet and from macros.

Nothing here is believed of the client itself: the mail server says all of it, and configuration
says which mail servers may connect. Pure: packets in, values out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.connection import Connection, Direction, Tls, normal_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.core.connection import IpAddress
    from milter.core.ids import SessionId
    from milter.milter8.wire import Client
    from milter.settings import Listener

_IPV6: Final = "ipv6:"
_CONFIRMED: Final = "OK"


def connection_of(
    client: Client, macros: Mapping[str, str], listener: Listener, session_id: SessionId
) -> Connection:
    """Return the connection of a client that the mail server tells of.

    Args:
        client: The CONNECT packet.
        macros: Those that came with it.
        listener: Ours.
        session_id: Ours.
    """
    address = _address(client)
    local = _is_local(client)
    daemon = macros.get("daemon_name", "")
    direction = listener.daemon_directions.get(daemon)
    if direction is None:
        # What comes from this machine and from no network is our own users' mail.
        outbound = local and listener.direction is Direction.INBOUND
        direction = Direction.OUTBOUND if outbound else listener.direction
    return Connection(
        session_id,
        listener.name,
        direction,
        client_ip=None if local else address,
        client_port=client.port,
        told_name=None if local else _told_name(client, macros),
        esmtp=True,
        protocol="ESMTP",
        local_source=local,
        told_reverse_name=None if local else _known(macros.get("client_ptr", "")),
    )


def greeted(connection: Connection, helo_name: str, macros: Mapping[str, str]) -> Connection:
    """Return `connection` after HELO, which tells of its encryption too."""
    version = macros.get("tls_version", "")
    tls = Tls(version, macros.get("cipher", "")) if version else None
    return connection._replace(helo_name=helo_name, tls=tls)


def authenticated(connection: Connection, account: str, listener: Listener) -> Connection:
    """Return `connection` as it is for a message whose sender logged in as `account`, or did not.

    Who logged in is a user of ours, through whichever listener: the mail is outbound, unless
    configuration says by the mail server's `{daemon_name}` what it is.
    """
    if account == connection.account:
        return connection
    inbound = connection.direction is Direction.INBOUND
    named = bool(listener.daemon_directions)
    direction = Direction.OUTBOUND if account and inbound and not named else connection.direction
    return connection._replace(account=account, direction=direction)


def _address(client: Client) -> IpAddress | None:
    if client.family not in {"4", "6"}:
        return None
    # Sendmail and Postfix write the tag of RFC 5321 §4.1.3 before an IPv6 address.
    words = client.address
    plain = words[len(_IPV6) :] if words[: len(_IPV6)].lower() == _IPV6 else words
    try:
        return normal_address(plain)
    except ValueError:
        return None


def _is_local(client: Client) -> bool:
    """Return whether the mail came from no network.

    Postfix tells of mail from sendmail(1) as of a client at 127.0.0.1 without a port; Sendmail
    gives the family of a unix socket or port 0 likewise.
    """
    if client.family == "L":
        return True
    return client.port == 0 and client.address in {"127.0.0.1", "::1", "IPv6:::1"}


def _told_name(client: Client, macros: Mapping[str, str]) -> str | None:
    """Return the name that the mail server found and confirmed, or None.

    Postfix says `unknown` where it could not. Sendmail gives a forged name too, and says in
    `{client_resolve}` what it is worth.
    """
    if macros.get("client_resolve", _CONFIRMED) != _CONFIRMED:
        return None
    return _known(client.name)


def _known(name: str) -> str | None:
    """Return `name` unless it says that the mail server found none."""
    return None if name in {"", "unknown"} or name.startswith("[") else name
