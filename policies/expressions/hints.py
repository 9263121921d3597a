"""What is meant by words and comparisons of other languages, and how it is written here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIZE: Final = "write size(attachments)"
_PART: Final = 'write subject.contains("won")'
_PATTERN: Final = 'write subject.matches("won .* prize")'
_EITHER_CASE: Final = 'write subject.matches("(?i)won")'
_CONTENT: Final = "a pattern looks at it, and a rule asks for the symbol of the pattern"
_AUTHOR: Final = "write author_domain for the header, mail_from for the envelope"

# Functions by how other languages call them.
FUNCTIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("len", "length", "count", "Size"), _SIZE),
    **dict.fromkeys(("includes", "include", "find", "indexOf", "strpos"), _PART),
    **dict.fromkeys(("match", "regex", "regexp", "re_match", "search"), _PATTERN),
    **dict.fromkeys(
        ("lower", "toLower", "toLowerCase", "lowerAscii", "upper", "icontains"), _EITHER_CASE
    ),
}
# Facts by how other languages call them.
NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("client_ip", "ip", "client", "remote_ip", "source_ip"), "write connection.ip"),
    **dict.fromkeys(("client_name", "rdns", "ptr", "hostname"), "write connection.name"),
    **dict.fromkeys(("from", "sender", "From", "author", "header_from"), _AUTHOR),
    **dict.fromkeys(("to", "rcpt", "rcpt_to", "recipient", "envelope_to"), "write recipients"),
    **dict.fromkeys(("user", "login", "username", "sasl_username"), "write account"),
    **dict.fromkeys(("size", "length", "message_size"), "write size_bytes"),
    **dict.fromkeys(("Subject", "SUBJECT", "header_subject"), "write subject"),
    **dict.fromkeys(("body", "text", "html", "message", "raw"), _CONTENT),
    **dict.fromkeys(("link", "links", "uri", "uris"), "write urls"),
    **dict.fromkeys(("files", "filename", "filenames"), "write attachments"),
}
_LAST_NAME: Final = re.compile(r"(\w+)[.\s]*$")
_TEXT: Final = "a text"
_TEXTS: Final = "a list of texts"


def of_operands(operator: str, kinds: Sequence[str], before: str) -> str:
    """Return how a comparison that does not go is written; empty: nobody knows.

    Args:
        operator: As it is written.
        kinds: What stands on both sides, in words.
        before: What is written up to the operator.
    """
    if operator == "in" and list(kinds) == [_TEXT, _TEXT]:
        return ': write subject.contains("part"), in_network(connection.ip, "192.0.2.0/24")'
    if {"null"} & set(kinds):
        return ': nothing is null here: what is not known is empty, subject == ""'
    if set(kinds) == {_TEXT, _TEXTS}:
        named = _LAST_NAME.search(before)
        return f': ask whether it is in the list: "..." in {named[1] if named else "recipients"}'
    if set(kinds) == {_TEXT, "a whole number"} and "headers" in before:
        return ": headers counts fields; what stands in one, a pattern finds (`in: header:NAME`)"
    return ""
