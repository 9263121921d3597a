"""Address lists of header fields (RFC 5322 §3.4, §4.4), read as leniently as mail readers do.

One pass over the tokens: comments, quoted strings, groups, source routes and the mistakes of real
mail. It says which mailboxes a reader would see, and whether the list had to be guessed at; it does
not judge. Paths of SMTP follow a stricter grammar, in `milter.core.address`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.address import domain_key
from milter.core.connection import parse_literal
from milter.message.charsets import decode_raw
from milter.message.decode import decode_words
from milter.message.guard import DEFAULT_BOUNDS, Bounds, Notes
from milter.message.text.forms import UNSEEN

if TYPE_CHECKING:
    from collections.abc import Sequence

# No literal holds an opening bracket: of many in a row, each would be followed to the end.
_UNQUOTED: Final = (
    r"(?P<space>\s++)|(?P<literal>\[[^\[\]\s<>,]*+\])"
    r'|(?P<atom>[^\s"()<>\[\],:;@\\]++)|(?P<sign>.)'
)
_QUOTED: Final = r'(?P<quoted>"(?:[^"\\]++|\\.)*+")'
_PIECE: Final = re.compile(f"{_QUOTED}|{_UNQUOTED}", re.DOTALL)
# For what stands behind a quote that never ends: looked for once, else each would be to the end.
_PIECE_UNQUOTED: Final = re.compile(_UNQUOTED, re.DOTALL)
_AROUND: Final = re.compile(r'[\s"(),:;<>\\]+')
# Letters, digits, underscore, hyphen and whatever is not ASCII.
_LABEL: Final = r"[^\x00-,./:-@\[-^`{-\x7F]{1,63}"
_DOMAIN: Final = re.compile(rf"(?!.{{254}}){_LABEL}(?:\.{_LABEL})*\.?|\[[\x21-\x5A\x5E-\x7E]+\]")
_COMMENT_STEP: Final = re.compile(r"[^()\\]++|\\.?|[()]", re.DOTALL)
# What nine of ten From fields look like: no quotes, no comments, one address in brackets.
_SIMPLE: Final = re.compile(
    r"([^\"(),:;<>@\[\]\\]*+)<([^\s\"(),:;<>@\[\]\\]++)@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*+)>"
)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
# What mail readers draw nothing for: controls, and what Unicode calls default ignorable.
_UNSEEN: Final = re.compile(f"[\x00-\x1f\x7f-\x9f]|{UNSEEN.pattern}")
_MAX_ADDRESSES: Final = 1_000
_MAX_DOMAIN: Final = 255


class Address(NamedTuple):
    """One mailbox of a list.

    Attributes:
        display_name: Decoded; empty when there is none.
        local_part: As written, quotes included.
        domain: For comparing: lower case, A-labels.
    """

    display_name: str
    local_part: str
    domain: str


class AddressList(NamedTuple):
    """The mailboxes of one or several fields.

    Attributes:
        addresses: In their order.
        guessed: Whether something in the list is no mailbox by any reading of the grammar.
    """

    addresses: tuple[Address, ...] = ()
    guessed: bool = False


class _Reader:
    """Reads one list; lives as long as that takes."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.addresses: list[Address] = []
        self.guessed = False
        self._phrase: list[str] = []
        self._angle: list[str] | None = None
        self._behind: list[str] = []
        self._closed = False
        self._comments = True
        self._comment = ""

    def read(self, text: str) -> None:
        simple = _SIMPLE.fullmatch(text)
        if simple and len(self.addresses) < _MAX_ADDRESSES:
            self._append(simple[2], simple[3], simple[1])
            return
        position, match_piece = 0, _PIECE.match
        while match := match_piece(text, position):
            position = match.end()
            piece, kind = match[0], match.lastgroup
            if piece == "(" and self._comments:
                end = _comment_end(text, position)
                # Never closed: a bracket alone, as in a sad face, hides nothing from a person.
                # Tried once only: else each of many brackets would be followed to the end.
                self._comments = end is not None
                self._comment = text[position : end - 1] if end else ""
                position = end or position
            elif kind == "space":
                self._word(" ")
            elif piece == '"':
                # Never closed: some readers show what stands behind it as if it were not there.
                self.guessed, match_piece = True, _PIECE_UNQUOTED.match
            else:
                # Only one behind the address is a name.
                self._comment = self._comment if piece in ",;" else ""
                (self._sign if kind == "sign" else self._word)(piece)
            if len(self.addresses) >= _MAX_ADDRESSES:
                self.notes.limit("addresses", "an address list is longer than is read")
                return
        self._finish()

    def _word(self, piece: str) -> None:
        if self._angle is not None and not self._closed:
            if piece != " ":
                self._angle.append(piece)
        elif self._closed:
            # Words behind the brackets are seen by nobody but some parsers.
            self.guessed = self.guessed or piece != " "
            self._behind.append(piece)
        elif piece != " " or (self._phrase and self._phrase[-1] != " "):
            self._phrase.append(piece)

    def _sign(self, piece: str) -> None:
        inside = self._angle is not None and not self._closed
        if piece == "<":
            if self._angle is not None:
                # Readers differ in which of two brackets they show, so both count.
                self.guessed = True
                if "@" in self._angle:
                    self._add(self._angle, "")
            self._angle, self._closed = [], False
        elif piece == ">" and inside:
            self._closed = True
        elif piece in ",;" and not (inside and self._is_route()):
            self._finish()
        elif piece == ":" and not inside:
            # The name of a group (RFC 5322 §3.4) is nobody's address, and holds no @ out of quotes.
            if "@" in self._phrase:
                self.guessed = True
                self._add_addresses(_words(self._phrase))
            self._phrase.clear()
        else:
            self._word(piece)

    def _is_route(self) -> bool:
        # RFC 5322 §4.4: `<@a.example,@b.example:user@c.example>` is one mailbox.
        return bool(self._angle) and self._angle is not None and self._angle[0] == "@"

    def _finish(self) -> None:
        if self._angle is not None:
            pieces = self._angle
            name = "".join([_unquoted(piece) for piece in self._phrase])
            self.guessed = self.guessed or not self._closed
            if self._is_route() and ":" in pieces:
                pieces = pieces[pieces.index(":") + 1 :]
            # `<>` is no author, yet well formed where it may stand.
            self._add(pieces, name)
            self._add_addresses(_words(self._behind))
        elif any(not piece.isspace() for piece in self._phrase):
            self._add_bare()
        self._phrase, self._angle, self._behind, self._closed = [], None, [], False
        self._comment = ""

    def _add_bare(self) -> None:
        # Around each @ of `some words user@example.org more` lies a mailbox that some reader shows.
        # Space beside the @ and the dots is allowed by RFC 5322 §4.4.
        words = _words(self._phrase)
        if len(words) > 1 or "@" not in words[0]:
            self.guessed = True
        self._add_addresses(words)

    def _add_addresses(self, words: list[str], name: str = "") -> None:
        for word in words:
            if "=?" in word:
                # RFC 2047 §5 knows no encoded word in an address; who decodes one shows another.
                self.guessed = True
                decoded = decode_words(word.encode("utf-8", "replace"), self.notes)
                shown = _AROUND.split(decoded.replace("=?", ""))
                self._add_addresses([one for one in shown if "@" in one], name)
                continue
            local_part, at, domain = word.rpartition("@")
            # An @ in quotes is part of a name.
            if at and not domain.endswith('"'):
                self._append(local_part, domain, name)

    def _add(self, pieces: list[str], name: str) -> None:
        if any("=?" in piece for piece in pieces):
            self._add_addresses(["".join(pieces)], name)
            return
        at = len(pieces) - 1 - pieces[::-1].index("@") if "@" in pieces else -1
        if at < 0:
            self.guessed = True
            return
        self._append("".join(pieces[:at]), "".join(pieces[at + 1 :]), name)

    def _append(self, local_part: str, domain: str, name: str) -> None:
        unquoted = local_part[1:-1] if local_part.startswith('"') else local_part
        if not unquoted or (local_part is unquoted and "@" in local_part):
            self.guessed = True
            # Of `a@b@c` some readers show what stands before the second sign.
            first, _, second = local_part.partition("@")
            if first and second:
                self._append(first, second.partition("@")[0], "")
        key = domain_key(domain) if len(domain) <= _MAX_DOMAIN else domain[:_MAX_DOMAIN].lower()
        shown = Address(self._display(name), local_part, key)
        # A dot alone is the root of all names, and nobody's domain.
        if key:
            self.addresses.append(shown)
        # What has no A-labels is nobody's domain either, whatever it looks like.
        if not (_DOMAIN.fullmatch(domain) and key.isascii() and _names_a_host(domain)):
            self.guessed = True
            if (seen := domain_key(_without_unseen(domain[:_MAX_DOMAIN]))) and seen != key:
                self.addresses.append(shown._replace(domain=seen))

    def _display(self, name: str) -> str:
        # RFC 5322 §3.4: a comment tells the name where the phrase does not; readers show it so.
        plain = " ".join((name if name.strip() else self._comment).split())
        return decode_words(plain.encode("utf-8", "replace"), self.notes) if plain else ""


def parse_addresses(
    values: Sequence[bytes], notes: Notes, bounds: Bounds = DEFAULT_BOUNDS
) -> AddressList:
    """Return the mailboxes of the unfolded `values` of one kind of field."""
    reader = _Reader(notes)
    for value in values:
        if len(value) > bounds.value_bytes:
            notes.limit("addresses", "an address list is longer than is read")
        reader.read(decode_raw(value[: bounds.value_bytes]))
    return AddressList(tuple(reader.addresses), reader.guessed)


def _unquoted(piece: str) -> str:
    """Return a word of a phrase as it is read (RFC 5322 §3.2.4)."""
    if not piece.startswith('"'):
        return piece
    inner = piece[1:-1] if len(piece) > 1 and piece.endswith('"') else piece[1:]
    return _QUOTED_PAIR.sub(r"\1", inner)


def _words(phrase: list[str]) -> list[str]:
    """Return the words of `phrase`; space beside an @ or a dot does not part them."""
    words: list[list[str]] = [[]]
    for place, piece in enumerate(phrase):
        if piece != " ":
            words[-1].append(piece)
        elif words[-1] and words[-1][-1][-1] not in "@.":
            follows = phrase[place + 1][0] if place + 1 < len(phrase) else ""
            if follows not in ("@", "."):
                words.append([])
    return ["".join(word) for word in words if word]


def _names_a_host(domain: str) -> bool:
    """Tell whether what is in brackets is an address (RFC 5321 §4.1.3), if brackets there are."""
    return not domain.startswith("[") or parse_literal(domain) is not None


def _without_unseen(domain: str) -> str:
    """Return a domain of no form as it looks: brackets and what is not seen hide no name."""
    return _UNSEEN.sub("", domain).strip("[].")


def _comment_end(text: str, position: int) -> int | None:
    """Return the offset behind the comment whose bracket was read (RFC 5322 §3.2.2), if it ends."""
    depth = 1
    for step in _COMMENT_STEP.finditer(text, position):
        mark = step[0]
        depth += (mark == "(") - (mark == ")")
        if depth == 0:
            return step.end()
    return None
