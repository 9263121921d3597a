"""Opening a connection: connect, PROXY, greeting, EHLO or LHLO, STARTTLS, XCLIENT.

It knows the order of RFC 5321 §3.1 and §3.2, of RFC 3207 and of Postfix's XCLIENT. Which host is
tried, and what is kept for later, is decided in `nexthop` and `pool`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal

from milter.core.errors import RelayError
from milter.relay import identity
from milter.relay.client import HopConnection, OnStage
from milter.relay.protocol import STARTTLS, Capabilities, line, parse_capabilities
from milter.relay.timers import DEFAULT_TIMERS, Timers

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from milter.core.connection import Connection
    from milter.core.reply import Reply
    from milter.settings.places import Place

# Where a hop that was told of the client answers it; STARTTLS is between the two of us.
_ANSWERS_CLIENT: Final = frozenset({"greeting", "ehlo", "identity"})


@dataclass(frozen=True, slots=True)
class Manner:
    """How every host of the next hop is spoken to.

    Attributes:
        hostname: Our name in EHLO.
        protocol: smtp or lmtp.
        tls: none, may or verify.
        tls_context: Made by `tls_context`; None for `tls` none.
        told_by: How the hop is told who the client is: none, xforward, xclient or proxy.
        timers: The deadlines.
        on_stage: Told the name and the seconds of each stage.
    """

    hostname: str
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: Literal["none", "may", "verify"] = "none"
    tls_context: ssl.SSLContext | None = None
    told_by: Literal["none", "xforward", "xclient", "proxy"] = "none"
    timers: Timers = DEFAULT_TIMERS
    on_stage: OnStage | None = None


def tls_context(
    tls: Literal["none", "may", "verify"], ca_file: str | None = None
) -> ssl.SSLContext | None:
    """Return what STARTTLS needs, None for `none`.

    `may` hides mail from those who only listen and verifies nothing; `verify` checks the
    certificate against `ca_file`, or the system's CAs, and the host's name.

    Raises:
        OSError: `ca_file` cannot be read, or holds no certificate (ssl.SSLError).
    """
    if tls == "none":
        return None
    if tls == "verify":
        return ssl.create_default_context(cafile=ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def dial(address: Place, manner: Manner, client: Connection | None) -> HopConnection:
    """Return a connection to `address` that has said EHLO and, where asked for, speaks TLS.

    Args:
        address: The host.
        manner: How it is spoken to.
        client: For whom, with PROXY; None speaks for ourselves.

    Raises:
        RelayError: Any step failed; nothing is left open.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    connection = HopConnection(str(address), manner.timers, loop, manner.on_stage)
    try:
        await _connect(connection, address)
        proxied = manner.told_by == "proxy"
        header = identity.proxy_header(client, connection.peer) if proxied else b""
        await _greeted(connection, header)
        await _say_hello(connection, manner, _first_name(manner, client))
        if manner.tls != "none":
            await _secure(connection, address, manner, client)
        if manner.told_by == "proxy":
            connection.told = told_of(client, manner)
    except BaseException as err:
        connection.abort()
        if isinstance(err, RelayError) and manner.told_by == "proxy" and client is not None:
            _note_refusal(err)
        raise
    if manner.on_stage is not None:
        manner.on_stage("connect", loop.time() - started)
    return connection


async def introduce(connection: HopConnection, manner: Manner, client: Connection) -> None:
    """Tell the hop by XCLIENT who the client is, and say EHLO again in its name.

    Raises:
        RelayError: The hop does not offer XCLIENT, refused it, or failed; nothing is left open. An
            admin who asked for XCLIENT relies on the hop to judge the client; going on without it
            could open a relay.
    """
    try:
        await _introduce(connection, manner, client)
    except BaseException as err:
        connection.abort()
        if isinstance(err, RelayError):
            _note_refusal(err)
        raise
    connection.told = told_of(client, manner)


async def _introduce(connection: HopConnection, manner: Manner, client: Connection) -> None:
    lines = identity.xclient(client, connection.capabilities.parameters("XCLIENT"))
    if not lines:
        raise connection.reject("identity", "the next hop does not offer XCLIENT to us")
    for command in lines:
        reply = await connection.command("identity", command, manner.timers.ehlo_s)
        # 220: the greeting of a new session. Old servers say 250.
        if reply.code not in (220, 250):
            raise connection.reject("identity", "XCLIENT refused", reply)
    await _say_hello(connection, manner, identity.helo_name(client, manner.hostname))


def _note_refusal(error: RelayError) -> None:
    """Note on `error` whether it is the hop's answer to the client that it was told of."""
    reply = error.reply
    error.refuses_client = (
        reply is not None
        and error.stage in _ANSWERS_CLIENT
        and reply.code // 100 in (4, 5)
        and reply.code != 421
    )


def told_of(client: Connection | None, manner: Manner) -> Hashable:
    """Return for whom the hop takes a connection of `client`: equal where it may serve both."""
    if client is None or manner.told_by in ("none", "xforward"):
        return None
    if manner.told_by == "proxy":
        # A PROXY header stands for the whole connection: never for another client, and never for
        # what XFORWARD or XCLIENT made of this one later in its session.
        return (
            client.session_id,
            client.client_ip,
            client.client_port,
            client.destination_ip,
            client.destination_port,
            client.helo_name,
        )
    return (
        client.told_name,
        client.client_ip,
        client.client_port,
        client.esmtp,
        client.helo_name,
        client.account,
        client.destination_ip,
        client.destination_port,
    )


async def _connect(connection: HopConnection, address: Place) -> None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(connection.timers.connect_s):
            if address.path:
                await loop.create_unix_connection(lambda: connection, address.path)
            else:
                await _connect_to_one(connection, await _addresses_of(address), address.port)
    except TimeoutError as err:
        raise connection.reject("connect", "no connection in time") from err
    # A host name that is no name of DNS raises UnicodeError.
    except (OSError, UnicodeError) as err:
        raise connection.reject("connect", f"cannot connect: {err}") from err


async def _addresses_of(place: Place) -> Sequence[str]:
    """Return the addresses of a host in the order in which they are to be tried."""
    try:
        return (str(ip_address(place.host)),)
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    # The scope of an IPv6 address stands apart from it here.
    return [
        f"{where[0]}%{where[3]}" if len(where) == 4 and where[3] else str(where[0])
        for *_, where in found
    ]


async def _connect_to_one(connection: HopConnection, addresses: Sequence[str], port: int) -> None:
    """Connect to the first address that answers (RFC 5321 §5.1).

    The kernel asks one that is silent for two minutes.
    """
    loop = asyncio.get_running_loop()
    for left, address in zip(range(len(addresses) - 1, -1, -1), addresses, strict=True):
        try:
            async with asyncio.timeout(connection.timers.address_s if left else None):
                await loop.create_connection(lambda: connection, address, port)
        except OSError:
            if not left:
                raise
        else:
            return


async def _greeted(connection: HopConnection, header: bytes) -> None:
    # The greeting is outstanding from the beginning: what is sent adds none.
    connection.send(header, 0, connection.timers.greeting_s)
    reply = await connection.receive("greeting")
    # RFC 5321 §3.1: 554 instead of 220 means that no mail is taken here.
    if reply.code != 220:
        raise connection.reject("greeting", "the next hop does not greet us", reply)


def _first_name(manner: Manner, client: Connection | None) -> str:
    if manner.told_by == "proxy" and client is not None:
        return identity.helo_name(client, manner.hostname)
    return manner.hostname


async def _say_hello(connection: HopConnection, manner: Manner, name: str) -> None:
    if manner.protocol == "lmtp":
        # RFC 2033 §4.1: LHLO in place of HELO and EHLO.
        reply = await _hello(connection, b"LHLO", name)
    else:
        reply = await _hello(connection, b"EHLO", name)
        if 500 <= reply.code < 600 and name != manner.hostname:
            # The client's own name was refused; that is no reason not to hear its mail.
            reply = await _hello(connection, b"EHLO", manner.hostname)
        if 500 <= reply.code < 600:
            # RFC 5321 §3.2: a server without EHLO is spoken to with HELO.
            reply = await _hello(connection, b"HELO", manner.hostname)
            if reply.code == 250:
                connection.capabilities = Capabilities({})
                return
    if reply.code != 250:
        raise connection.reject("ehlo", "our EHLO is refused", reply)
    connection.capabilities = parse_capabilities(reply)


async def _hello(connection: HopConnection, verb: bytes, name: str) -> Reply:
    return await connection.command("ehlo", line(verb, name.encode()), connection.timers.ehlo_s)


async def _secure(
    connection: HopConnection, address: Place, manner: Manner, client: Connection | None
) -> None:
    verify = manner.tls == "verify"
    if manner.tls_context is None:
        raise connection.reject("starttls", "TLS is asked for and not set up")
    if verify and not address.host:
        raise connection.reject("starttls", "a unix socket has no name to verify")
    if not connection.capabilities.offers("STARTTLS"):
        if verify:
            raise connection.reject("starttls", "the next hop does not offer STARTTLS")
        return
    reply = await connection.command("starttls", STARTTLS, manner.timers.starttls_s)
    if reply.code != 220:
        if verify:
            raise connection.reject("starttls", "STARTTLS refused", reply)
        return
    await connection.upgrade(manner.tls_context, address.host or None)
    connection.verified_tls = verify
    # RFC 3207 §4.2: what was offered in the clear is forgotten; EHLO is said again.
    await _say_hello(connection, manner, _first_name(manner, client))


def names_the_client(error: RelayError, manner: Manner) -> bool:
    """Whether `error` may be about the client rather than the host.

    With PROXY the greeting already answers the client, with XCLIENT what comes after it; a host
    that refuses one client is not down.
    """
    if error.reply is None:
        return False
    return manner.told_by == "proxy" or error.stage == "identity" or error.refuses_client
