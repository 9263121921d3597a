"""Mailboxes in SMTP paths (RFC 5321 §4.1.2, RFC 6531 §3.3).

A strict grammar of our own in one linear pass. It does not judge: whether a domain exists or may be
relayed to is asked elsewhere.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from milter.core.errors import ParseError
from policies.domains import domain_key as domain_key  # noqa: PLC0414 - also from here
from policies.mailboxes import plain_mailbox

# RFC 6531 §3.3 lets in what is not ASCII. C1 controls, line separators and marks that turn the
# direction of text are kept out: in a log, a header or a reply nobody would see what they are.
_UNSEEN: Final = re.compile("[\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The classes below say what is not in them: `re` compiles that a hundred times faster.
_ATEXT: Final = r"[^\x00-\x20\"(),.:;<>@\[\\\]\x7F-\x9F]"
_DOT_STRING: Final = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED_STRING: Final = r'"(?:[^\x00-\x1F"\\\x7F-\x9F]|\\[\x20-\x7E])*"'
# RFC 1035 labels, with the underscore that real hosts use and the U-labels of RFC 6531.
_NO_LETTER: Final = r":-@\[-^`{-\x9F"
_LABEL: Final = rf"[^\x00-/{_NO_LETTER}](?:[^\x00-,./{_NO_LETTER}]*[^\x00-/{_NO_LETTER}])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LITERAL: Final = r"\[[\x21-\x5A\x5E-\x7E]+\]"

# RFC 5321 §4.1.1.3, appendix C: a source route must be accepted, and ignored.
_ROUTE: Final = rf"@(?>{_DOMAIN}|{_LITERAL})(?:,@(?>{_DOMAIN}|{_LITERAL}))*+:"
# Nothing that matched is tried again in another way, so that the pass stays linear.
_PATH: Final = re.compile(
    rf"<(?:(?:{_ROUTE})?+"
    rf"(?:(?P<local>(?>{_DOT_STRING}|{_QUOTED_STRING}))@(?P<domain>(?>{_DOMAIN}|{_LITERAL}))"
    r"|(?P<postmaster>(?i:postmaster))))?>"
)

# RFC 5321 §4.5.3.1.1 to §4.5.3.1.3. The local part is given four times its 64 octets: signed bounce
# addresses are longer than the RFC allows and are real mail.
MAX_LOCAL_PART: Final = 256
MAX_DOMAIN: Final = 255
# So many characters are within both bounds, whatever octets they become.
_SURELY_SHORT: Final = 63


class Mailbox(NamedTuple):
    """A mailbox as it stood in a path; a tuple, because each message makes several.

    Attributes:
        local_part: As written, quotes included.
        domain: As written; empty only for `<postmaster>` (RFC 5321 §4.5.1).
    """

    local_part: str
    domain: str

    @property
    def text(self) -> str:
        """Both, as between the angle brackets."""
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part

    @property
    def plain(self) -> str:
        """Both, in the one spelling in which mailboxes are compared."""
        return plain_mailbox(self.text)

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
    match = _PATH.match(text)
    if match is None or (not text.isascii() and _UNSEEN.search(text, 0, match.end())):
        raise ParseError("not an address")
    local, domain, postmaster = match.groups()
    rest = text[match.end() :]
    if local is None:
        return (Mailbox(postmaster, "") if postmaster else None), rest
    if match.end() > _SURELY_SHORT:
        _check_lengths(match)
    return Mailbox(local, domain), rest


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
