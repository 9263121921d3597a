"""Mailboxes in SMTP paths (RFC 5321 §4.1.2, RFC 6531 §3.3).

A strict grammar of our own in one linear pass. It does not judge: whether a domain exists or may be
relayed to is asked elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from milter.core.errors import ParseError
from policies.domains import domain_key as domain_key  # noqa: PLC0414 - also from here

# RFC 6531 §3.3 lets in what is not ASCII. C1 controls, line separators and marks that turn the
# direction of text are kept out: in a log, a header or a reply nobody would see what they are.
_WIDE: Final = r"\xA0-\u2027\u202F-\u2065\u206A-\uD7FF\uE000-\U0010FFFF"
_ATEXT: Final = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_WIDE}-]"
_DOT_STRING: Final = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED_STRING: Final = rf'"(?:[\x20\x21\x23-\x5B\x5D-\x7E{_WIDE}]|\\[\x20-\x7E])*"'
# RFC 1035 labels, with the underscore that real hosts use and the U-labels of RFC 6531.
_LETTER: Final = rf"A-Za-z0-9_{_WIDE}"
_LABEL: Final = rf"[{_LETTER}](?:[{_LETTER}-]*[{_LETTER}])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LITERAL: Final = r"\[[\x21-\x5A\x5E-\x7E]+\]"

_MAILBOX: Final = re.compile(
    rf"(?P<local>{_DOT_STRING}|{_QUOTED_STRING})@(?P<domain>{_DOMAIN}|{_LITERAL})"
)
# RFC 5321 §4.1.1.3, appendix C: a source route must be accepted, and ignored.
_SOURCE_ROUTE: Final = re.compile(rf"@(?:{_DOMAIN}|{_LITERAL})(?:,@(?:{_DOMAIN}|{_LITERAL}))*:")
_POSTMASTER: Final = re.compile(r"postmaster(?=>)", re.IGNORECASE)

# RFC 5321 §4.5.3.1.1 to §4.5.3.1.3. The local part is given four times its 64 octets: signed bounce
# addresses are longer than the RFC allows and are real mail.
MAX_LOCAL_PART: Final = 256
MAX_DOMAIN: Final = 255


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as it stood in a path.

    Attributes:
        local_part: As written, quotes included.
        domain: As written; empty only for `<postmaster>` (RFC 5321 §4.5.1).
        text: Both, as between the angle brackets; made once, for it is asked for often.
    """

    local_part: str
    domain: str
    text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        text = f"{self.local_part}@{self.domain}" if self.domain else self.local_part
        object.__setattr__(self, "text", text)

    @property
    def domain_key(self) -> str:
        """The domain for comparing: lower case, A-labels, no final dot."""
        return domain_key(self.domain)

    @property
    def is_postmaster(self) -> bool:
        """Whether mail to it must never be refused for content (RFC 5321 §4.5.1)."""
        return self.local_part.lower() == "postmaster"

    def __str__(self) -> str:
        return self.text


def parse_path(text: str) -> tuple[Mailbox | None, str]:
    """Parse the path at the start of `text`, angle brackets included.

    Returns:
        The mailbox, None for the null path `<>`, and what follows the closing bracket.

    Raises:
        ParseError: `text` does not begin with a path of RFC 5321 §4.1.2.
    """
    if not text.startswith("<"):
        raise ParseError("an address in angle brackets is needed")
    if text.startswith("<>"):
        return None, text[2:]
    route = _SOURCE_ROUTE.match(text, 1)
    start = route.end() if route else 1
    if postmaster := _POSTMASTER.match(text, start):
        return Mailbox(postmaster.group(), ""), text[postmaster.end() + 1 :]
    match = _MAILBOX.match(text, start)
    if match is None or not text.startswith(">", match.end()):
        raise ParseError("not an address", match.end() if match else start)
    _check_lengths(match)
    return Mailbox(match["local"], match["domain"]), text[match.end() + 1 :]


def parse_mailbox(text: str) -> Mailbox:
    """Parse `local@domain` without brackets, as it stands in configuration and on a command line.

    Raises:
        ParseError: `text` is not exactly one mailbox.
    """
    mailbox, rest = parse_path(f"<{text}>")
    if mailbox is None or rest:
        raise ParseError("an address like name@example.org is needed")
    return mailbox


def _check_lengths(match: re.Match[str]) -> None:
    if len(match["local"].encode()) > MAX_LOCAL_PART:
        raise ParseError("the local part is too long", match.start("local"))
    if len(match["domain"].encode()) > MAX_DOMAIN:
        raise ParseError("the domain is too long", match.start("domain"))
