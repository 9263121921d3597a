"""Whom a trusted client speaks for: XCLIENT, XFORWARD and PROXY.

Attribute names and meaning are Postfix's; values are xtext (RFC 3461 §4). Nothing here decides who
is trusted: the session asks only for clients that configuration names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.core.connection import normal_address
from milter.smtp.commands import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiosmtpd.proxy_protocol import ProxyData

    from milter.core.connection import Connection, IpAddress

XCLIENT_ATTRIBUTES: Final = (
    "NAME",
    "ADDR",
    "PORT",
    "PROTO",
    "HELO",
    "LOGIN",
    "DESTADDR",
    "DESTPORT",
)
XFORWARD_ATTRIBUTES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")

_ATTRIBUTE: Final = re.compile(r"([A-Za-z]+)=([!-<>-~]+)")
_HEX: Final = re.compile(r"\+([0-9A-F]{2})")
_UNKNOWN: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
# The command of a version 2 header that a proxy sends for itself.
_LOCAL: Final = 0
_NOBODY: Final = {
    "told_name": None,
    "client_port": 0,
    "account": "",
    "ident": "",
    "local_source": False,
    "destination_ip": None,
    "destination_port": 0,
}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def parse_attributes(argument: bytes, known: tuple[str, ...]) -> dict[str, str]:
    """Return the attributes of one XCLIENT or XFORWARD command by upper-case name.

    An attribute that the client says it does not know has the empty value.

    Raises:
        CommandError: An attribute is malformed or not in `known`.
    """
    attributes: dict[str, str] = {}
    for word in argument.decode("latin-1").split():
        match = _ATTRIBUTE.fullmatch(word)
        if match is None or match[1].upper() not in known:
            raise CommandError(501, "5.5.4", "Unknown or malformed attribute")
        attributes[match[1].upper()] = _decode_xtext(match[2])
    if not attributes:
        raise CommandError(501, "5.5.4", "An attribute is needed")
    return attributes


def apply_attributes(connection: Connection, attributes: Mapping[str, str]) -> Connection:
    """Return `connection` as the attributes describe it; what they do not name stays.

    With an address comes another client: what was known of the one before is forgotten, the HELO
    name of the session excepted.

    Raises:
        CommandError: An address or a port is none.
    """
    changes: dict[str, object] = dict(_NOBODY) if "ADDR" in attributes else {}
    for name, value in attributes.items():
        field, convert = _FIELDS[name]
        changes[field] = convert(value)
    if "PROTO" in attributes:
        changes["esmtp"] = attributes["PROTO"].upper() != "SMTP"
    return connection._replace(**changes)  # type: ignore[arg-type]  # the names above are its fields


def apply_proxy(connection: Connection, header: ProxyData) -> Connection:
    """Return `connection` as a PROXY header describes it.

    LOCAL and UNKNOWN headers come from the proxy's own health checks and leave it as it is.

    Raises:
        CommandError: The header names no address that we know.
    """
    if header.command == _LOCAL or not header.src_addr or header.src_port is None:
        return connection
    return connection._replace(
        client_ip=_address(str(header.src_addr)),
        client_port=int(header.src_port),
        destination_ip=_address(str(header.dst_addr)) if header.dst_addr else None,
        destination_port=int(header.dst_port or 0),
    )


def _decode_xtext(value: str) -> str:
    if value.upper() in _UNKNOWN:
        return ""
    text = _HEX.sub(lambda match: chr(int(match[1], 16)), value)
    if _CONTROL.search(text):
        raise CommandError(501, "5.5.4", "Malformed attribute")
    return text.encode("latin-1").decode("utf-8", "replace")


def _address(value: str) -> IpAddress | None:
    if not value:
        return None
    text = value[5:] if value[:5].upper() == "IPV6:" else value
    try:
        return normal_address(text)
    except ValueError as error:
        raise CommandError(501, "5.5.4", "Not an address") from error


def _port(value: str) -> int:
    if not value:
        return 0
    if not value.isdigit() or len(value) > 5 or int(value) > 65535:
        raise CommandError(501, "5.5.4", "Not a port")
    return int(value)


_FIELDS: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "NAME": ("told_name", lambda value: value or None),
    "ADDR": ("client_ip", _address),
    "PORT": ("client_port", _port),
    "PROTO": ("protocol", str.upper),
    "HELO": ("helo_name", str),
    "LOGIN": ("account", str),
    "IDENT": ("ident", str),
    "SOURCE": ("local_source", lambda value: value.upper() == "LOCAL"),
    "DESTADDR": ("destination_ip", _address),
    "DESTPORT": ("destination_port", _port),
}
