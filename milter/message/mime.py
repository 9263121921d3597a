"""The parts of a message (RFC 2045, RFC 2046), found by searching for boundaries, not by lines.

A part is a range of bytes with what its header says about it; nothing is decoded before somebody
asks. Multiparts and messages in messages are walked with a stack of our own, so that depth costs no
recursion, and within `Bounds`. What is broken is read as mail readers show it, and noted.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

from milter.message import cms, uuencode
from milter.message.decode import decode_base64, decode_quoted, mostly_base64, parse_parameters
from milter.message.files import kinds
from milter.message.guard import DEFAULT_BOUNDS, Bounds, Fault, Notes
from milter.message.headers import HeaderBlock, split_header, unfolded
from milter.message.part import IDENTITY, Part, decode_part

# Behind the boundary: `--` when it is the last, space that gateways add (RFC 2046 §5.1.1).
_DELIMITER_END: Final = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\Z)")
# RFC 2046 §5.1.1 asks for no more than that a line begins with the boundary. But boundaries in each
# other may begin alike, so this is tried where no line is the delimiter alone.
_LOOSE_END: Final = re.compile(rb"(--)?[^\n]*+(?:\n|\Z)")
_ENCODING: Final = re.compile(r"\s*+(?:\([^()]*+\)\s*+)*+[\"']?([^\s;(\"',]*)")
# What some readers take for a delimiter where that which is named is none.
_DELIMITER_LIKE: Final = re.compile(
    rb"(?<=\n)--([^\r\n]{0,200}?)[ \t]*\r?\n"
    rb"content-(?:type|transfer-encoding|disposition|id|description)[ \t]*:",
    re.IGNORECASE,
)
# Of words with space between them less is of the alphabet of base64.
_HARDLY_ELSE: Final = 0.9
_MESSAGES: Final = frozenset(("message/rfc822", "message/global", "message/news"))
_MESSAGE_NAME: Final = ".eml"
# Those with which the subject of a message may end are left out.
_NO_MESSAGES: Final = frozenset().union(
    *(kinds.EXECUTABLES - {"app", "com"}, kinds.SCRIPTS, kinds.SHORTCUTS, kinds.DISKS),
    *(kinds.MACROS, kinds.ARCHIVES, kinds.HARMLESS - {"eml", "msg"}, kinds.HTMLS),
)
_TEXTS: Final = frozenset(("txt", "text"))
_TYPE: Final = re.compile(r"[^\s/]+/[^\s/]+")
# In the header of a message that is quoted-printable as a whole; one that is not has words of
# RFC 2047, which show the second.
_QUOTED_HEADER: Final = re.compile(rb"=(?:3[Dd]|46rom|\r?\n)")
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")
_ENCODED_WORD: Final = re.compile(rb"=\?[\w-]+\?[BbQq]\?")
# In the header of a part; a text without a header has more of them.
_MAX_JUNK: Final = 20
_ONCE: Final = ("content-type", "content-transfer-encoding", "content-disposition")
_TWICE: Final = "a part that says twice what it is"
_MOST_TYPES: Final = 5
_PLAIN: Final = "text/plain"
_HEAD: Final = 2_048


@dataclass(frozen=True, slots=True)
class _Open:
    """A range still to be read."""

    source: bytes
    block: HeaderBlock
    end: int
    depth: int
    default_type: str


class _Walk:
    """Takes one message apart; lives as long as that takes."""

    def __init__(self, raw: bytes, notes: Notes, bounds: Bounds) -> None:
        self.raw, self.notes, self.bounds = raw, notes, bounds
        self.leaves: list[Part] = []
        self.count = 0
        self._false_delimiters = 0
        self._unwrapped_left = bounds.decoded_bytes
        self._claimed: list[str] = []

    def run(self, block: HeaderBlock) -> None:
        stack = [_Open(self.raw, block, len(self.raw), 0, _PLAIN)]
        while stack:
            if self.count >= self.bounds.parts:
                self.notes.limit("parts", "more parts than are read")
                return
            self.count += 1
            stack.extend(reversed(self._open(stack.pop())))

    def _open(self, item: _Open) -> list[_Open]:
        """Return the ranges inside `item`; a leaf has none and is kept."""
        self._claimed = []
        content_type, parameters = self._content_type(item)
        deep = item.depth >= self.bounds.depth
        inner: list[_Open] = []
        if content_type in _MESSAGES or content_type.startswith("multipart/"):
            if deep:
                self.notes.limit("depth", "parts lie deeper in each other than is read")
            elif content_type in _MESSAGES:
                inner = [self._message(item)]
            else:
                inner = self._multipart(item, content_type, parameters.get("boundary", ""))
                # A multipart without parts is shown as text by readers, so it is read as text.
                content_type = content_type if inner else _PLAIN
        if inner and content_type not in _MESSAGES:
            return inner
        leaf = self._leaf(item, content_type, parameters)
        named = kinds.extension_of(leaf.filename)
        if not inner or named in _NO_MESSAGES or (named and not inner[0].block.fields):
            # Some readers offer what is called a message as the file that its name says it is.
            self.leaves.append(leaf)
        # Mail readers open it as the message that its name says it is.
        if leaf.filename.lower().endswith(_MESSAGE_NAME) and not deep:
            inner = inner or [self._message(item, noted=False)]
        if not inner and not deep:
            inner = self._wrapped(leaf)
        return inner

    def _wrapped(self, leaf: Part) -> list[_Open]:
        """Return the message in `leaf` that came signed; keep the files that came in no part."""
        signed = cms.is_signed(leaf.content_type, leaf.filename)
        coded = leaf.content_type == _PLAIN and leaf.encoding in IDENTITY
        where = leaf.source, leaf.start, leaf.end
        if not (signed or (coded and uuencode.may_hold_files(*where))):
            return []
        data = decode_part(leaf, self._unwrapped_left, self.notes)
        self._unwrapped_left -= len(data)
        if not signed:
            for name, content in islice(uuencode.files_in(data), self.bounds.parts):
                self._file(name, content, leaf.depth)
            return []
        held = cms.signed_content(data)
        if held is None:
            return []
        opened = self._inner(held, 0, len(held), leaf.depth + 1, _PLAIN)
        file = cms.signed_file(leaf.filename)
        if not file or opened.block.first("content-type"):
            return [opened]
        self._file(file, held, leaf.depth)
        return []

    def _file(self, name: str, content: bytes, depth: int) -> None:
        """Keep a file that came in no part of its own."""
        if self.count >= self.bounds.parts:
            self.notes.limit("parts", "more parts than are read")
            return
        self.count += 1
        kind = _PLAIN if kinds.extension_of(name) in _TEXTS else "application/octet-stream"
        self.leaves.append(
            Part(kind, "", "", "attachment", name, content, 0, len(content), depth, (), delsp=False)
        )

    def _message(self, item: _Open, *, noted: bool = True) -> _Open:
        """Return the message inside `item`, decoded where it came encoded.

        RFC 2046 §5.2.1 forbids that, and mail readers undo it all the same. A file may be encoded.
        """
        start, decoded = item.block.body_start, None
        encoding = self._encoding(item)
        if encoding in ("base64", "quoted-printable"):
            decoded = self._unwrapped(item, encoding)
        if decoded is None:
            return self._inner(item.source, start, item.end, item.depth + 1, _PLAIN)
        if noted:
            self.notes.add(Fault.MIME, "a message that is encoded as a whole")
        return self._inner(decoded, 0, len(decoded), item.depth + 1, _PLAIN)

    def _unwrapped(self, item: _Open, encoding: str) -> bytes | None:
        """Return the message inside `item` decoded; None where it is not in the encoding named."""
        start = item.block.body_start
        end = min(item.end, start + self._unwrapped_left)
        block = split_header(item.source, start, item.end, Notes(), self.bounds)
        ending = _EMPTY_LINE.search(item.source, start, end)
        header = item.source[start : ending.end() if ending else start]
        if encoding == "base64":
            written = not block.fields and mostly_base64(item.source[start:end])
        else:
            written = bool(_QUOTED_HEADER.search(header)) and not _ENCODED_WORD.search(header)
        if not written:
            return None
        if end < item.end:
            self.notes.limit("decoded", "more decoded bytes than are read")
        self._unwrapped_left -= end - start
        data = item.source[start:end]
        return decode_base64(data) if encoding == "base64" else decode_quoted(data)

    def _inner(self, source: bytes, start: int, end: int, depth: int, default_type: str) -> _Open:
        block = split_header(source, start, end, self.notes, self.bounds)
        return _Open(source, block, end, depth, default_type)

    def _part(self, source: bytes, start: int, end: int, depth: int, default_type: str) -> _Open:
        """Return a part whose header goes on behind lines that are no fields.

        Mail servers take the body of a message to begin there and do not look at its parts; readers
        go on to the empty line.
        """
        opened = self._inner(source, start, end, depth, default_type)
        fields, position = list(opened.block.fields), opened.block.body_start
        for _ in range(_MAX_JUNK):
            if _is_behind_empty_line(source, start, position):
                break
            start = source.find(b"\n", position, end) + 1
            if start == 0:
                return opened
            block = split_header(source, start, end, Notes(), self.bounds)
            fields += block.fields
            position = block.body_start
        if not any(field.name.startswith("content-") for field in fields):
            return opened
        names = Counter(field.name for field in fields)
        if any(names[name] > 1 for name in _ONCE):
            self.notes.add(Fault.MIME, _TWICE)
        return replace(opened, block=HeaderBlock(tuple(fields), position))

    def _content_type(self, item: _Open) -> tuple[str, dict[str, str]]:
        fields = item.block.every("content-type")
        if not fields:
            return item.default_type, {}
        if len(fields) > 1:
            self.notes.add(Fault.MIME, _TWICE)
        look = partial(parse_parameters, notes=self.notes, bounds=self.bounds)
        values = (unfolded(item.source, field) for field in fields[:_MOST_TYPES])
        said = [look(value, claimed=self._claimed) for value in values]
        # Readers differ in which of several they take; in one of them there are parts.
        parted = (each for each in said if each[0].startswith("multipart/"))
        content_type, parameters = next(parted, said[0])
        if _TYPE.fullmatch(content_type):
            return content_type, parameters
        # RFC 2045 §5.2: what cannot be parsed counts as plain text.
        self.notes.add(Fault.MIME, "a Content-Type that is no type and subtype")
        return _PLAIN, parameters

    def _leaf(self, item: _Open, content_type: str, parameters: dict[str, str]) -> Part:
        block, disposition, filename = item.block, "", ""
        if field := block.first("content-disposition"):
            disposition, values = parse_parameters(
                unfolded(item.source, field), self.notes, self.bounds, self._claimed
            )
            filename = values.get("filename", "")
        filename = filename or parameters.get("name", "")
        return Part(
            content_type,
            parameters.get("charset", ""),
            self._encoding(item),
            disposition,
            filename,
            item.source,
            block.body_start,
            item.end,
            item.depth,
            tuple(dict.fromkeys([name for name in self._claimed if name and name != filename])),
            parameters.get("delsp", "").lower() == "yes" and content_type == _PLAIN,
        )

    def _encoding(self, item: _Open) -> str:
        fields = item.block.every("content-transfer-encoding")
        encodings = [_encoding_of(unfolded(item.source, field)) for field in fields]
        if len(encodings) > 1 and "base64" in encodings:
            # Readers differ in which of them they take; this one shows in what is there.
            start = item.block.body_start
            shown = item.source[start : min(item.end, start + _HEAD)]
            plain = [each for each in encodings if each != "base64"]
            encodings = ["base64"] if mostly_base64(shown, _HARDLY_ELSE) else plain or encodings
        return encodings[0] if encodings else ""

    def _multipart(self, item: _Open, content_type: str, boundary: str) -> list[_Open]:
        default = "message/rfc822" if content_type == "multipart/digest" else _PLAIN
        ranges = self._named(item, boundary) if boundary else []
        if not ranges:
            what = "whose boundary never comes" if boundary else "without a boundary"
            self.notes.add(Fault.MIME, f"a multipart {what}")
            ranges = self._guessed(item)
        return [self._part(item.source, *range_, item.depth + 1, default) for range_ in ranges]

    def _named(self, item: _Open, boundary: str) -> list[tuple[int, int]]:
        delimiter = b"--" + boundary.encode("utf-8", "replace")
        ranges = self._ranges(item, delimiter, _DELIMITER_END)
        if not ranges and not boundary.isascii():
            # Bytes that are no UTF-8 were read as Latin-1.
            delimiter = b"--" + boundary.encode("latin-1", "replace")
            ranges = self._ranges(item, delimiter, _DELIMITER_END)
        if not ranges and self._false_delimiters:
            ranges = self._ranges(item, delimiter, _LOOSE_END)
        return ranges

    def _guessed(self, item: _Open) -> list[tuple[int, int]]:
        """Return the parts between lines that look like delimiters, for who reads them so.

        Readers differ in which of two boundaries they take, and in what one with odd signs is.
        """
        found = _DELIMITER_LIKE.search(item.source, item.block.body_start, item.end)
        return self._ranges(item, b"--" + found[1], _DELIMITER_END) if found else []

    def _ranges(
        self, item: _Open, delimiter: bytes, line_end: re.Pattern[bytes]
    ) -> list[tuple[int, int]]:
        """Return where the parts between the delimiters lie (RFC 2046 §5.1.1)."""
        ranges: list[tuple[int, int]] = []
        begin, position, end = -1, item.block.body_start, item.end
        look = partial(self._delimiter, item.source, delimiter, line_end, end)
        while (found := look(position)) is not None:
            at, position, last = found
            if begin >= 0:
                ranges.append((begin, max(begin, _line_end(item.source, at))))
            begin = position
            if last:
                return ranges
            if self.count + len(ranges) > self.bounds.parts:
                break
        if begin < 0:
            return []
        self.notes.add(Fault.MIME, "a multipart that never ends")
        return [*ranges, (begin, end)]

    def _delimiter(
        self, raw: bytes, delimiter: bytes, line_end: re.Pattern[bytes], end: int, position: int
    ) -> tuple[int, int, bool] | None:
        """Return start and end of the next delimiter line, and whether it is the last one."""
        # The body may begin with the delimiter; every other one follows a line break.
        at = position if raw.startswith(delimiter, position, end) else -1
        while True:
            if at < 0:
                at = raw.find(b"\n" + delimiter, position, end) + 1
                if at == 0:
                    return None
            if rest := line_end.match(raw, at + len(delimiter), end):
                return at, rest.end(), rest[1] is not None
            self._false_delimiters += 1
            if self._false_delimiters > self.bounds.false_delimiters:
                self.notes.limit("delimiters", "more lines that look like delimiters than are read")
                return None
            position, at = at + len(delimiter), -1


def _encoding_of(value: bytes) -> str:
    match = _ENCODING.match(value[:100].decode("latin-1").lower())
    return match[1] if match else ""


def _line_end(source: bytes, at: int) -> int:
    """Return where the line before `at` ends: its line break belongs to the delimiter."""
    at -= source[at - 1 : at] == b"\n"
    return at - (source[at - 1 : at] == b"\r")


def _is_behind_empty_line(source: bytes, start: int, position: int) -> bool:
    if position - start <= len(b"\r\n"):
        return source[start:position] in (b"\r\n", b"\n")
    return source[position - 3 : position].endswith((b"\n\n", b"\n\r\n"))


def split_parts(
    raw: bytes, block: HeaderBlock, notes: Notes, bounds: Bounds = DEFAULT_BOUNDS
) -> tuple[Part, ...]:
    """Return the leaves of the message `raw` whose header is `block`, in their order."""
    walk = _Walk(raw, notes, bounds)
    walk.run(block)
    return tuple(walk.leaves)
