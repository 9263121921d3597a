"""How the next hop is told who the client is: XFORWARD, XCLIENT and PROXY, as bytes.

It knows the two extensions as Postfix defines them (attributes in xtext, only those that the hop
named in its EHLO line) and the header of the PROXY protocol, versions 1 and 2. It sends nothing.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from milter.core.connection import Connection, IpAddress

# RFC 5321 §4.5.3.1.4: 512 octets a command line, CRLF included.
_MAX_LINE: Final = 512
# Both extensions: an attribute value has at most 255 characters.
_MAX_VALUE: Final = 255
_UNAVAILABLE: Final = b"[UNAVAILABLE]"

# RFC 3461 §4: xtext is printable ASCII but for "+" and "=".
_NOT_XTEXT: Final = re.compile(rb"[^!-*,-<>-~]")
_NOT_VISIBLE: Final = re.compile(r"[^!-~]")
_CUT_ESCAPE: Final = re.compile(rb"\+[0-9A-F]?\Z")

_PROXY_V2_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_PROXY_V2_LOCAL: Final = b"\x20\x00\x00\x00"
_PROXY_V2_PROXY: Final = b"\x21"
_PROXY_V2_TCP6: Final = b"\x21"


def xtext(value: bytes) -> bytes:
    """Return `value` in xtext (RFC 3461 §4).

    >>> xtext(b"a b+c")
    b'a+20b+2Bc'
    """
    return _NOT_XTEXT.sub(lambda match: b"+%02X" % match[0][0], value)


def xforward(client: Connection, offered: Collection[str]) -> tuple[bytes, ...]:
    """Return the XFORWARD lines for `client`; none where the hop offers none of our attributes.

    The hop forgets them at the end of each transaction, so they go before every MAIL.

    Args:
        client: The client of the transaction.
        offered: Attribute names of the hop's EHLO line, in upper case.
    """
    values = {
        b"NAME": _word(client.told_name or ""),
        b"ADDR": _address(client.client_ip),
        b"PORT": _number(client.client_port),
        b"PROTO": _word(client.protocol or _spoken(client)),
        b"HELO": _word(client.helo_name),
        b"IDENT": _word(client.ident),
        b"SOURCE": b"LOCAL" if client.local_source else b"REMOTE",
    }
    return tuple(_command_lines(b"XFORWARD", values, offered))


def xclient(client: Connection, offered: Collection[str]) -> tuple[bytes, ...]:
    """Return the XCLIENT lines for `client`; none where the hop offers none of our attributes.

    They hold until the next XCLIENT, so every offered attribute is named, the unknown ones too:
    what is left out would stay as the client before it had it.
    """
    values = {
        b"NAME": _word(client.told_name or ""),
        b"ADDR": _address(client.client_ip),
        b"PORT": _number(client.client_port),
        b"PROTO": _spoken(client).encode(),
        b"HELO": _word(client.helo_name),
        b"LOGIN": _login(client.account),
        b"DESTADDR": _address(client.destination_ip),
        b"DESTPORT": _number(client.destination_port),
    }
    return tuple(_command_lines(b"XCLIENT", values, offered))


def helo_name(client: Connection, hostname: str) -> str:
    """Return the name to say in EHLO for `client`: its own where that fits one line.

    Where the hop takes the connection for the client's (PROXY, XCLIENT), it judges and records the
    name that comes after that.
    """
    name = client.helo_name
    usable = 0 < len(name) <= _MAX_VALUE and _NOT_VISIBLE.search(name) is None
    return name if usable else hostname


def proxy_header(client: Connection | None, server: tuple[IpAddress, int] | None) -> bytes:
    """Return the PROXY header that speaks for `client`.

    Version 1, which more servers understand, wherever it can say it. Version 2 with an IPv4 address
    mapped into IPv6 where the two ends differ in family, and as LOCAL where there is no client
    address: the hop then takes the connection as ours. (Postfix refuses version 1's UNKNOWN.)

    Args:
        client: The client; None for a connection of our own (a probe).
        server: The address that the client reached, used where the client's connection has none.
    """
    if client is None or client.client_ip is None:
        return _PROXY_V2_SIGNATURE + _PROXY_V2_LOCAL
    source = client.client_ip
    target, port = _destination(client, server)
    if source.version != target.version:
        addresses = _mapped(source).packed + _mapped(target).packed
        ports = client.client_port.to_bytes(2) + port.to_bytes(2)
        length = (len(addresses) + len(ports)).to_bytes(2)
        head = _PROXY_V2_SIGNATURE + _PROXY_V2_PROXY + _PROXY_V2_TCP6 + length
        return head + addresses + ports
    words = f"PROXY TCP{source.version} {_bare(source)} {_bare(target)} {client.client_port} {port}"
    return words.encode() + b"\r\n"


def _destination(client: Connection, server: tuple[IpAddress, int] | None) -> tuple[IpAddress, int]:
    if client.destination_ip is not None:
        return client.destination_ip, client.destination_port
    if server is not None:
        return server
    return (IPv4Address(0) if isinstance(client.client_ip, IPv4Address) else IPv6Address(0)), 0


def _mapped(address: IpAddress) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)


def _bare(address: IpAddress) -> str:
    # A scope (fe80::1%eth0) means something on this machine only.
    return str(address).partition("%")[0]


def _spoken(client: Connection) -> str:
    return "ESMTP" if client.esmtp else "SMTP"


def _word(value: str) -> bytes:
    # Blanks, control and non-ASCII characters are not allowed even when decoded: they end in the
    # hop's log and in its Received header.
    encoded = xtext(_NOT_VISIBLE.sub("?", value[:_MAX_VALUE]).encode())
    if len(encoded) > _MAX_VALUE:
        encoded = _CUT_ESCAPE.sub(b"", encoded[:_MAX_VALUE])
    return encoded or _UNAVAILABLE


def _login(account: str) -> bytes:
    # Cut or altered it would be somebody else's account.
    encoded = xtext(account.encode("utf-8", "backslashreplace"))
    return encoded if 0 < len(encoded) <= _MAX_VALUE else _UNAVAILABLE


def _address(address: IpAddress | None) -> bytes:
    if address is None:
        return _UNAVAILABLE
    prefix = "IPV6:" if address.version == 6 else ""
    return f"{prefix}{_bare(address)}".encode()


def _number(value: int) -> bytes:
    return b"%d" % value if value else _UNAVAILABLE


def _command_lines(
    verb: bytes, values: dict[bytes, bytes], offered: Collection[str]
) -> Iterator[bytes]:
    command = verb
    for name, value in values.items():
        if name.decode() not in offered:
            continue
        attribute = b" " + name + b"=" + value
        if len(command) + len(attribute) + 2 > _MAX_LINE and command != verb:
            yield command + b"\r\n"
            command = verb
        command += attribute
    if command != verb:
        yield command + b"\r\n"
