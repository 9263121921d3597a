"""A message as checks and patterns see it: read when asked, and each thing once.

Everything is derived from the bytes as they came; nothing here changes them. Reading never raises:
what is broken or past a bound is among the defects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from milter.message.addresses import AddressList, parse_addresses
from milter.message.charsets import decode_raw
from milter.message.dates import Dated, read_date
from milter.message.decode import decode_words
from milter.message.detect import Detector
from milter.message.files import kinds
from milter.message.files.attachment import read_attachments
from milter.message.files.pages import pages_among
from milter.message.guard import DEFAULT_BOUNDS, Bounds, Defect, Notes
from milter.message.headers import (
    HeaderBlock,
    HeaderField,
    fields_beyond,
    split_header,
    unfolded,
)
from milter.message.html import amp
from milter.message.html.reader import read_html
from milter.message.joined import joined
from milter.message.language import Language, languages_of
from milter.message.mime import split_parts
from milter.message.once import once
from milter.message.part import Part, part_text
from milter.message.text.fold import skeleton
from milter.message.text.forms import folded
from milter.message.urls.collect import collect_links

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milter.message.files.attachment import Attachment
    from milter.message.files.enclosed import Enclosed
    from milter.message.html.document import Html
    from milter.message.urls.link import Url

View = str | bytes | list[str]
_FROM: Final = frozenset(("from",))
# ISO-2022 is ASCII to who only looks at single bytes.
_ESCAPE: Final = b"\x1b$"
_HEADER_VIEW: Final = "header:"
_HTML_TYPES: Final = frozenset(("text/html", "application/xhtml+xml"))


@dataclass(frozen=True, slots=True)
class TextPart:
    """One part of type text, decoded.

    Attributes:
        content_type: Type and subtype in lower case.
        text: Its text; line breaks are newlines.
    """

    content_type: str
    text: str


class Message:
    """One message, read lazily.

    Args:
        raw: The bytes as sent: dots unstuffed, lines ended by CRLF or LF.
        bounds: What is read of it.
    """

    def __init__(self, raw: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> None:
        self.raw = raw
        self.bounds = bounds
        # What its documents and pictures say, where somebody opened them before anything was read.
        self.enclosed: tuple[Enclosed, ...] = ()
        # Those asked for so far, by name: several checks look at the same fields.
        self._values: dict[str, tuple[bytes, ...]] = {}
        self._notes = Notes()
        self._detector = Detector(bounds.detections)

    @once
    def _block(self) -> HeaderBlock:
        return split_header(self.raw, 0, len(self.raw), self._notes, self.bounds)

    @property
    def fields(self) -> tuple[HeaderField, ...]:
        """The header fields in their order, as offsets into `raw`."""
        return self._block.fields

    @property
    def body_start(self) -> int:
        """Offset of the first byte of the body."""
        return self._block.body_start

    @once
    def cut_off(self) -> frozenset[str]:
        """Names of the fields behind a line that ended the header and is no field of it.

        For mail servers they are text. They tell why fields are missing: a long line that some
        program broke, and not that nobody wrote them.
        """
        start = self.body_start
        # An empty line at the very top ends a header without fields.
        before = b"\n" + self.raw[:start]
        if start in (0, len(self.raw)) or before.endswith((b"\n\r\n", b"\n\n")):
            return frozenset()
        rest = self.raw.find(b"\n", start) + 1
        block = split_header(self.raw, rest, len(self.raw), Notes(), self.bounds)
        return frozenset([field.name for field in block.fields])

    @once
    def _by_name(self) -> dict[str, list[HeaderField]]:
        by_name: dict[str, list[HeaderField]] = {}
        for field in self._block.fields:
            by_name.setdefault(field.name, []).append(field)
        return by_name

    @once
    def counts(self) -> Mapping[str, int]:
        """How often each header field is there, by lower-case name."""
        return {name: len(fields) for name, fields in self._by_name.items()}

    def count(self, name: str) -> int:
        """Return how often the header field `name`, in lower case, is there."""
        return len(self._by_name.get(name, ()))

    def values(self, name: str) -> Sequence[bytes]:
        """Return the unfolded, undecoded values of `name`, in lower case, from the top."""
        fields = self._by_name.get(name)
        if not fields:
            return ()
        values = self._values.get(name)
        if values is None:
            values = self._values[name] = tuple([unfolded(self.raw, field) for field in fields])
        return values

    def beyond(self, names: frozenset[str]) -> list[HeaderField]:
        """Return the fields called one of `names`, in lower case, past the bounds of the reader."""
        read_to = self.fields[-1].end if self.fields else 0
        if self.body_start - read_to <= len(b"\r\n"):
            return []
        return fields_beyond(self.raw, read_to, self.body_start, names)

    @property
    def header_end(self) -> int:
        """Offset behind the last field: of the empty line, where there is one."""
        end = self.body_start
        for blank in (b"\r\n", b"\n"):
            if self.raw.endswith(b"\n" + blank, 0, end):
                return end - len(blank)
        return end

    def decoded(self, name: str) -> list[str]:
        """Return the values of `name`, in lower case, with encoded words decoded."""
        return [decode_words(value, self._notes) for value in self.values(name)]

    @once
    def subject(self) -> str:
        """The decoded Subject, the topmost if there are several; empty when there is none."""
        fields = self._by_name.get("subject")
        if not fields:
            return ""
        value = unfolded(self.raw, fields[0])
        if (value.isascii() and _ESCAPE not in value) or b"=?" in value:
            return decode_words(value, self._notes)
        # Bare bytes, which mail readers take for those of the text; UTF-8 comes first (RFC 6532).
        charset = next((part.charset for part in self.parts if part.charset), "utf-8")
        return self._detector.decode(value, charset)[0]

    @once
    def date(self) -> Dated | None:
        """The topmost Date, read; None where it names no moment or there is none."""
        fields = self._by_name.get("date")
        return read_date(unfolded(self.raw, fields[0])) if fields else None

    @once
    def authors(self) -> AddressList:
        """The mailboxes of all From fields (RFC 5322 §3.6.2).

        Those past the bounds of the reader as well: a thousand empty fields hide no author.
        """
        beyond = [unfolded(self.raw, field) for field in self.beyond(_FROM)]
        return parse_addresses([*self.values("from"), *beyond], self._notes, self.bounds)

    @once
    def author_domains(self) -> tuple[str, ...]:
        """The domains of the authors, each once, lower case and in A-labels."""
        return tuple(dict.fromkeys(address.domain for address in self.authors.addresses))

    @once
    def parts(self) -> tuple[Part, ...]:
        """The leaves of the tree of parts, in their order."""
        return split_parts(self.raw, self._block, self._notes, self.bounds)

    @once
    def text_parts(self) -> tuple[Part, ...]:
        """The parts of type text, in their order; `texts` are theirs, as far as they are read."""
        return tuple(
            [
                part
                for part in self.parts
                if part.content_type.startswith("text/") or part.content_type in _HTML_TYPES
            ]
        )

    @once
    def texts(self) -> tuple[TextPart, ...]:
        """The parts of type text, decoded, within the bound of decoded bytes.

        Behind them stand the files that a click opens as a page, whatever type they are called.
        """
        texts, left = [], self.bounds.decoded_bytes
        for part in (*self.text_parts, *pages_among(self.parts)):
            if left <= 0:
                self._notes.limit("decoded", "more decoded bytes than are read")
                break
            text = part_text(part, left, self._notes, self._detector)
            left -= len(text)
            if part.content_type == amp.TYPE:
                texts.append(TextPart(kinds.HTML, amp.as_shown(text)))
            else:
                texts.append(TextPart(part.content_type, joined(text, part)))
        return tuple(texts)

    @property
    def truncated(self) -> tuple[str, ...]:
        """The names of the bounds that something was left unread for, so far."""
        return self._notes.truncated

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What is wrong with all that was read so far, each once."""
        return self._notes.defects

    def read(self) -> None:
        """Read all there is, so that `defects` is whole."""
        _ = (self.subject, self.authors, self.links, self.attachments)

    def view(self, name: str) -> View:
        """Return what a pattern with `in: name` is matched against.

        Names are those of `VIEWS`, and `header:NAME`, where `:raw`, `:addr` or `:name` may follow:
        the fields undecoded, the addresses in them, or their display names. Lists are matched
        item by item.

        Raises:
            KeyError: There is no such view of a message.
        """
        if name.startswith(_HEADER_VIEW):
            return self._header_view(*name[len(_HEADER_VIEW) :].lower().partition(":")[::2])
        return _VIEWS[name](self)

    def _header_view(self, name: str, part: str) -> list[str]:
        if not part:
            return self.decoded(name)
        values = self.values(name)
        if part == "raw":
            return [decode_raw(value) for value in values]
        addresses = parse_addresses(values, self._notes, self.bounds).addresses
        if part == "name":
            return [each.display_name for each in addresses if each.display_name]
        return [f"{each.local_part}@{each.domain}" for each in addresses]

    @once
    def header_text(self) -> str:
        """The header as text: a line for each field, unfolded and decoded."""
        raw, notes = self.raw, self._notes
        return "".join(
            f"{raw[field.start : field.value_start - 1].decode('ascii').rstrip()}: "
            f"{decode_words(unfolded(raw, field), notes)}\n"
            for field in self.fields
        )

    @once
    def attachments(self) -> tuple[Attachment, ...]:
        """The parts that are files, looked into, in their order."""
        return read_attachments(self.parts, self._notes, self.bounds)

    @once
    def html(self) -> tuple[Html, ...]:
        """The HTML parts, read, in their order."""
        pages = [part.text for part in self.texts if part.content_type in _HTML_TYPES]
        most = self.bounds.html_parts
        read = [read_html(page, self._notes, self.bounds) for page in pages[:most]]
        if len(pages) > most:
            # Many that are as deep as one may be take seconds.
            past = replace(self.bounds, html_depth=0)
            read += [read_html(page, self._notes, past) for page in pages[most:]]
        return tuple(read)

    @once
    def links(self) -> tuple[Url, ...]:
        """The addresses in texts and HTML as they would be opened; nothing is fetched."""
        plain = [self.subject] + [
            part.text for part in self.texts if part.content_type not in _HTML_TYPES
        ]
        return collect_links(plain, self.html, self._notes, self.bounds, self.enclosed)

    @once
    def urls(self) -> list[str]:
        """The web addresses, normalised as browsers do, each once."""
        return list(dict.fromkeys([url.href for url in self.links if url.is_web]))

    @once
    def url_domains(self) -> tuple[str, ...]:
        """The registrable domains that links lead to, lower case and in A-labels, each once."""
        return tuple(dict.fromkeys([url.domain for url in self.links if url.domain]))

    @once
    def url_hosts(self) -> tuple[str, ...]:
        """The hosts that links lead to, addresses included (IPv6 in brackets), each once."""
        return tuple(dict.fromkeys([url.host for url in self.links if url.is_web]))

    @once
    def filenames(self) -> list[str]:
        """The names that parts give to themselves as files, in their order."""
        return [part.filename for part in self.parts if part.filename]

    @once
    def body(self) -> str:
        """All texts as a person reads them, in their order; of HTML what is seen."""
        return "\n".join(self.body_texts)

    @once
    def body_texts(self) -> tuple[str, ...]:
        """Each text as a person reads it; of HTML what is seen; at the end those of documents."""
        html = iter(self.html)
        return tuple(
            [
                next(html).text if part.content_type in _HTML_TYPES else part.text
                for part in self.texts
            ]
            + [file.text for file in self.enclosed if file.text]
        )

    @once
    def folded(self) -> str:
        """Subject and texts as read, in one form for each letter (see `milter.message.text`)."""
        return folded(f"{self.subject}\n{self.body}")

    @once
    def skeleton(self) -> str:
        """Subject and texts as the eye takes them, disguises undone: two lines, one for each."""
        return f"{skeleton(self.subject)}\n{skeleton(self.body)}"

    @once
    def languages(self) -> tuple[Language, ...]:
        """The languages of the texts, each once, those of the longest text first."""
        return languages_of([self.subject, *self.body_texts])

    @once
    def hidden(self) -> str:
        """The text in HTML that is not seen."""
        return "\n".join([text for html in self.html for text in html.hidden.values()])

    @property
    def has_texts_read(self) -> bool:
        """Whether the texts were read already, so that looking at them costs nothing."""
        return "body_texts" in self.__dict__

    @property
    def has_languages_told(self) -> bool:
        """Whether somebody asked for the languages already."""
        return "languages" in self.__dict__

    def text_of(self, content_type: str) -> str:
        """Return all texts of one type and subtype, in their order."""
        return "\n".join([part.text for part in self.texts if part.content_type == content_type])


_VIEWS: Final[dict[str, Callable[[Message], View]]] = {
    "subject": lambda message: message.subject,
    "headers": lambda message: message.header_text,
    "body": lambda message: message.body,
    "text": lambda message: message.text_of("text/plain"),
    "html": lambda message: message.text_of("text/html"),
    "hidden": lambda message: message.hidden,
    "folded": lambda message: message.folded,
    "skeleton": lambda message: message.skeleton,
    "urls": lambda message: message.urls,
    "filenames": lambda message: message.filenames,
    "raw": lambda message: message.raw,
}
# The views of a pattern that are of the message; `mail_from`, `helo` and `client_name` are not.
VIEWS: Final = frozenset(_VIEWS)
