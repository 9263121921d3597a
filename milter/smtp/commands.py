"""SMTP commands as clients write them (RFC 5321 §4.1.1, §4.1.2).

Parses lines into values and back into what the next hop is told. Judges grammar only; order, trust
and policy are the session's business. Parameters keep their case and bytes: a proxy that
upper-cases ENVID or ORCPT destroys them (RFC 3461 §4.4, §4.2).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.address import Mailbox, parse_path
from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# RFC 5321 §4.1.2 esmtp-param; octets over 126 are let through for the UTF-8 values of RFC 6533.
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00- =\x7F]+))?")
_SIZE: Final = re.compile(r"[0-9]{1,20}")
# RFC 5321 §4.1.2 Domain and address-literal, and what real clients send beside it: judged by a
# check, not here. Only what could break a header or a log line is kept out.
_HELO: Final = re.compile(r"[!-~]+")
_NO_PARAMETERS: Final[Mapping[str, str | None]] = {}


class CommandError(ParseError):
    """A command that cannot be taken, with the reply that says so.

    Attributes:
        code: SMTP code.
        enhanced: RFC 3463 code.
    """

    def __init__(self, code: int, enhanced: str, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.enhanced = enhanced


class PathCommand(NamedTuple):
    """MAIL or RCPT.

    Attributes:
        mailbox: The path; None for `<>`.
        parameters: Values by upper-case keyword, None for a keyword without value.
        argument: What follows the verb, for the next hop: source route and odd spaces are gone,
            the parameters are as the client wrote them.
        size: SIZE= (RFC 1870 §6); 0 when not said.
    """

    mailbox: Mailbox | None
    parameters: Mapping[str, str | None]
    argument: bytes
    size: int = 0


def split_line(line: bytes) -> tuple[bytes, bytes]:
    """Return the verb in upper case and the argument of a command line that ends with CRLF."""
    verb, _, argument = line[:-2].partition(b" ")
    return verb.upper(), argument.strip(b" \t")


def parse_helo(argument: bytes) -> str:
    """Return the name of HELO or EHLO.

    Raises:
        CommandError: There is none, or it holds what no name holds.
    """
    name, _, _ = argument.decode("latin-1").partition(" ")
    if not _HELO.fullmatch(name) or len(name) > 255:
        raise CommandError(501, "5.5.4", "A host name or address literal is needed")
    return name


def parse_mail(argument: bytes, *, extended: bool) -> PathCommand:
    """Parse the argument of MAIL (RFC 5321 §4.1.1.2).

    Args:
        argument: What follows the verb.
        extended: Whether the client said EHLO, so that parameters may be given.

    Raises:
        CommandError: With the reply that fits.
    """
    command = _parse_path_command(argument, "FROM:", extended=extended)
    parameters = command.parameters
    if parameters:
        command = command._replace(size=_check_mail_parameters(parameters))
    if not argument.isascii():
        _refuse_unannounced_utf8(command, announced="SMTPUTF8" in parameters)
    return command


def parse_rcpt(argument: bytes, *, extended: bool, utf8: bool) -> PathCommand:
    """Parse the argument of RCPT (RFC 5321 §4.1.1.3); `utf8` tells whether MAIL said SMTPUTF8.

    Raises:
        CommandError: With the reply that fits.
    """
    command = _parse_path_command(argument, "TO:", extended=extended)
    if command.mailbox is None:
        raise CommandError(501, "5.1.3", "A recipient is needed")
    if not argument.isascii():
        _refuse_unannounced_utf8(command, announced=utf8)
    return command


def parse_bdat(argument: bytes) -> tuple[int, bool]:
    """Return the size of the chunk that follows and whether it is the last (RFC 3030 §2).

    Raises:
        CommandError: The argument is not `size [LAST]`.
    """
    size, _, last = argument.partition(b" ")
    if not size.isdigit() or len(size) > 20 or last.strip().upper() not in {b"", b"LAST"}:
        raise CommandError(501, "5.5.4", "Syntax: BDAT size [LAST]")
    return int(size), bool(last)


def _parse_path_command(argument: bytes, keyword: str, *, extended: bool) -> PathCommand:
    text = _decode(argument)
    if text[: len(keyword)].upper() != keyword:
        raise CommandError(501, "5.5.4", f"Syntax: {keyword}<address>")
    mailbox, rest = _parse_path(text[len(keyword) :].lstrip(" "), keyword)
    path = f"{keyword}<{mailbox.text if mailbox else ''}>"
    if not rest:
        return PathCommand(mailbox, _NO_PARAMETERS, path.encode())
    # Not `split()`: it takes a CR, a form feed or a line separator for a space.
    words = [word for word in rest.replace("\t", " ").split(" ") if word]
    if not words:
        return PathCommand(mailbox, _NO_PARAMETERS, path.encode())
    if not extended:
        raise CommandError(501, "5.5.4", "Parameters need EHLO")
    return PathCommand(mailbox, _parse_parameters(words), " ".join([path, *words]).encode())


def _check_mail_parameters(parameters: Mapping[str, str | None]) -> int:
    """Return SIZE=, 0 when not said."""
    size = parameters.get("SIZE", "0")
    if size is None or not _SIZE.fullmatch(size):
        raise CommandError(501, "5.5.4", "SIZE needs a number")
    if parameters.get("SMTPUTF8") is not None:
        raise CommandError(501, "5.5.4", "SMTPUTF8 takes no value")
    body = parameters.get("BODY", "7BIT")
    # RFC 3030 §3: BINARYMIME would need BDAT at the next hop, and we end every message with a dot.
    if body is None or body.upper() not in {"7BIT", "8BITMIME"}:
        raise CommandError(501, "5.5.4", "BODY can be 7BIT or 8BITMIME")
    return int(size)


def _decode(argument: bytes) -> str:
    try:
        return argument.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(500, "5.5.2", "Neither ASCII nor UTF-8") from error


def _parse_path(text: str, keyword: str) -> tuple[Mailbox | None, str]:
    if not text.startswith("<"):
        if not text:
            raise CommandError(501, "5.5.4", f"Syntax: {keyword}<address>")
        # Old scripts leave the brackets out; the next hop is given them.
        bare, space, rest = text.partition(" ")
        text = f"<{bare}>{space}{rest}"
    try:
        mailbox, rest = parse_path(text)
    except ParseError as error:
        raise CommandError(553, "5.1.7" if keyword == "FROM:" else "5.1.3", error.what) from error
    if rest and not rest.startswith(" "):
        raise CommandError(501, "5.5.4", "A space is needed after the address")
    return mailbox, rest


def _parse_parameters(words: Sequence[str]) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for word in words:
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise CommandError(501, "5.5.4", "Malformed parameter")
        keyword = match[1].upper()
        if keyword in parameters:
            raise CommandError(501, "5.5.4", f"{keyword} is given twice")
        parameters[keyword] = match[2]
    return parameters


def _refuse_unannounced_utf8(command: PathCommand, *, announced: bool) -> None:
    # RFC 6531 §3.5: a server that was not told SMTPUTF8 refuses such an address with 5.6.7.
    if not announced and command.mailbox and not command.mailbox.text.isascii():
        raise CommandError(553, "5.6.7", "This address needs SMTPUTF8")
