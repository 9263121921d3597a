"""The files of a message, each with its real type and what is dangerous about it.

A file is looked into as far as its kind asks for: archives are listed to a bound depth, documents
searched for macros and for what they load from elsewhere, web pages read for scripts and forms.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from milter.message.files import kinds
from milter.message.files.archives import (
    LISTED,
    PACKED,
    Budget,
    late_start,
    list_entries,
    read_entry,
    stored_name,
    unpack,
)
from milter.message.files.entries import MAX_ENTRIES
from milter.message.files.pages import asks_for_a_secret
from milter.message.files.relations import relations_of
from milter.message.guard import Notes
from milter.message.html import amp
from milter.message.part import decode_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from milter.message.files.entries import Entry
    from milter.message.guard import Bounds
    from milter.message.part import Part

_HEAD: Final = 0x8006
_LOOKED_AT: Final = 262_144
_MAX_NAMES: Final = 100
_VBA: Final = "_VBA_PROJECT".encode("utf-16-le")
_ENCRYPTED_OFFICE: Final = "EncryptedPackage".encode("utf-16-le")
_PDF_NAMES: Final = ("JavaScript", "JS", "Launch", "EmbeddedFile", "XFA")


def _pdf_name(name: str) -> str:
    """Return a pattern for a name of PDF, whose letters may be written by number: `#4a`."""
    return "".join(f"(?:{letter}|#(?i:{ord(letter):02x}))" for letter in name)


_PDF_ACTIVE: Final = re.compile(rf"/(?:{'|'.join(map(_pdf_name, _PDF_NAMES))})\b".encode("ascii"))
_RTF_OBJECT: Final = re.compile(rb"\\obj(?:data|update|autlink)")
_ACTIVE_MARKUP: Final = re.compile(
    rb"<script\b|\bon(?:load|error|click)\s*=|<foreignObject\b", re.I
)
_TEXT_TYPES: Final = ("text/plain", "text/html", "application/xhtml+xml", amp.TYPE)
# Archives of which what they hold can be taken out.
_OPENED: Final = frozenset((kinds.ZIP, "application/x-tar"))
_CONTAINERS: Final = frozenset((*LISTED, *PACKED))
# Files in archives that are looked into, for what opening them does.
_DOCUMENTS: Final = frozenset(
    ["doc", "dot", "xls", "xlt", "ppt", "pps", "docx", "dotx", "xlsx", "pptx", "rtf"]
)


class Danger(StrEnum):
    """What is dangerous or telling about a file."""

    EXECUTABLE = "executable"
    SCRIPT = "script"
    SHORTCUT = "shortcut"
    DISK_IMAGE = "disk_image"
    DOUBLE_EXTENSION = "double_extension"
    DISGUISED_NAME = "disguised_name"
    TYPE_MISMATCH = "type_mismatch"
    MACROS = "macros"
    EXTERNAL_TEMPLATE = "external_template"
    EMBEDDED_OBJECT = "embedded_object"
    ONENOTE = "onenote"
    WEB_PAGE = "web_page"
    ACTIVE_PAGE = "active_page"
    PASSWORD_FORM = "password_form"  # noqa: S105 - a form that asks for one
    ACTIVE_PDF = "active_pdf"
    ARCHIVE = "archive"
    ENCRYPTED = "encrypted"
    ARCHIVED_DANGER = "archived_danger"
    BOMB = "bomb"
    CALENDAR = "calendar"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is a file.

    Attributes:
        name: Decoded; empty when it has none.
        extension: What follows the last dot, in lower case.
        declared_type: Media type that the part names.
        real_type: By its first bytes; empty when they show none.
        size_bytes: Decoded, worked out from its size in the message.
        dangers: What is dangerous about it.
        names: Names inside an archive, nested ones as `inner.zip/a.exe`; a bounded number.
    """

    name: str
    extension: str
    declared_type: str
    real_type: str
    size_bytes: int
    dangers: frozenset[Danger]
    names: tuple[str, ...] = ()


def read_attachments(parts: Iterable[Part], notes: Notes, bounds: Bounds) -> tuple[Attachment, ...]:
    """Return the files among `parts` of a message, in their order."""
    budget, looks = Budget(bounds.unpacked_bytes), Budget(bounds.unpacked_bytes)
    found = tuple(
        [_Looker(part, budget, looks, notes, bounds).look() for part in parts if is_file(part)]
    )
    if budget.exceeded:
        notes.limit("archives", "archives hold more bytes than are unpacked")
    return found


def is_file(part: Part) -> bool:
    """Return whether `part` is a file, and no text that a reader shows."""
    return bool(
        part.filename or part.disposition == "attachment" or part.content_type not in _TEXT_TYPES
    )


class _Looker:
    """Looks into one file; lives as long as that takes.

    Args:
        part: The file.
        budget: For archives in archives; that it was exceeded is noted.
        looks: For documents in archives. Many large ones are ordinary, so it may be exceeded.
        notes: For what is left unread of a page.
        bounds: What is read of a message.
    """

    def __init__(
        self, part: Part, budget: Budget, looks: Budget, notes: Notes, bounds: Bounds
    ) -> None:
        self._part = part
        self._notes = notes
        self._budget = budget
        self._looks = looks
        self._bounds = bounds
        self._start = 0
        self.dangers: set[Danger] = set()
        self.names: list[str] = []

    def look(self) -> Attachment:
        part = self._part
        extension = kinds.extension_of(part.filename)
        real_type = kinds.type_by_bytes(self._content(_HEAD))
        if not real_type or real_type.startswith("image/"):
            real_type = self._late_type(extension) or real_type
        for name in (part.filename, *part.claimed):
            self._name(name, kinds.extension_of(name))
        if real_type == kinds.EXECUTABLE:
            self.dangers.add(Danger.EXECUTABLE)
        if kinds.breaks_promise(extension, real_type):
            self.dangers.add(Danger.TYPE_MISMATCH)
        self._inside(real_type, extension)
        size = part.end - part.start
        return Attachment(
            *(part.filename, extension, part.content_type, real_type),
            size * 3 // 4 if part.encoding == "base64" else size,
            frozenset(self.dangers),
            tuple(self.names),
        )

    def _late_type(self, extension: str) -> str:
        """Return what archive a file is with other bytes before it, where it is called one."""
        if extension not in kinds.ZIPPED and extension not in kinds.ARCHIVES:
            return ""
        content = self._content(self._bounds.decoded_bytes)
        # Programs look for its directory from the end.
        if extension in kinds.ZIPPED and list_entries(content, kinds.ZIP):
            return kinds.ZIP
        self._start = late_start(content)
        return kinds.type_by_bytes(content[self._start :][:_HEAD]) if self._start else ""

    def _content(self, most: int) -> bytes:
        # That the rest is not decoded here is our wish and no bound that was passed.
        return decode_part(self._part, most, Notes())

    def _name(self, name: str, extension: str) -> None:
        if danger := _danger_of_name(extension):
            self.dangers.add(danger)
        if kinds.is_doubled(name):
            self.dangers.add(Danger.DOUBLE_EXTENSION)
        if kinds.is_disguised(name):
            self.dangers.add(Danger.DISGUISED_NAME)

    def _inside(self, real_type: str, extension: str) -> None:
        kind = self._part.content_type
        if real_type == kinds.DISK:
            self.dangers.add(Danger.DISK_IMAGE)
        if real_type in _CONTAINERS:
            content = self._content(self._bounds.decoded_bytes)[self._start :]
            self._archive(content, real_type, "", 0)
        elif real_type in (kinds.HTML, kinds.SVG) or extension in kinds.HTMLS:
            self._page(self._content(self._bounds.decoded_bytes))
        elif look := _LOOKS.get(real_type):
            self.dangers.update(look(self._content(self._bounds.decoded_bytes)))
        elif kind in ("text/calendar", "application/ics") or real_type == "text/calendar":
            self.dangers.add(Danger.CALENDAR)
        elif kind in ("text/vcard", "text/x-vcard") or real_type == "text/vcard":
            self.dangers.add(Danger.CONTACT)

    def _page(self, content: bytes) -> None:
        self.dangers.add(Danger.WEB_PAGE)
        content = _in_bytes(content)
        if _ACTIVE_MARKUP.search(content):
            self.dangers.add(Danger.ACTIVE_PAGE)
        if asks_for_a_secret(content, self._notes, self._bounds):
            self.dangers.add(Danger.PASSWORD_FORM)

    def _archive(self, data: bytes, media_type: str, prefix: str, depth: int) -> None:
        if media_type in PACKED:
            self._packed(data, media_type, prefix, depth)
            return
        entries = list_entries(data, media_type)
        if media_type == kinds.ZIP and self._office(data, entries, self._budget):
            return
        self.dangers.add(Danger.ARCHIVE)
        if len(entries) >= MAX_ENTRIES:
            self._budget.exceeded = True
        for entry in entries:
            if len(self.names) < _MAX_NAMES:
                self.names.append(prefix + entry.name)
            self._entry(data, media_type, entry, prefix, depth)

    def _entry(self, data: bytes, media_type: str, entry: Entry, prefix: str, depth: int) -> None:
        extension = kinds.extension_of(entry.name)
        if entry.encrypted:
            self.dangers.add(Danger.ENCRYPTED)
        if entry.is_bomb:
            self.dangers.add(Danger.BOMB)
        self._archived_name(entry.name)
        if media_type not in _OPENED or entry.is_bomb:
            return
        if extension in kinds.ARCHIVES:
            self._inner_archive(data, media_type, entry, prefix, depth)
        elif extension in _DOCUMENTS or extension in kinds.HTMLS:
            self._document(_taken_out(data, media_type, entry, self._looks), extension)

    def _archived_name(self, name: str) -> None:
        named = _danger_of_name(kinds.extension_of(name))
        if named or kinds.is_doubled(name) or kinds.is_disguised(name):
            self.dangers.add(Danger.ARCHIVED_DANGER)
        # A name that deceives does so in an archive, too; there nothing else would have it so.
        if kinds.is_doubled(name):
            self.dangers.add(Danger.DOUBLE_EXTENSION)
        if kinds.is_disguised(name):
            self.dangers.add(Danger.DISGUISED_NAME)

    def _inner_archive(
        self, data: bytes, media_type: str, entry: Entry, prefix: str, depth: int
    ) -> None:
        if depth + 1 >= self._bounds.archive_depth:
            self._budget.exceeded = True
            return
        content = _taken_out(data, media_type, entry, self._budget)
        inner = kinds.type_by_bytes(content[:600])
        if inner in _CONTAINERS:
            self._archive(content, inner, f"{prefix}{entry.name}/", depth + 1)

    def _document(self, content: bytes, extension: str) -> None:
        """Look into a file of an archive for what is dangerous to open."""
        real_type = kinds.type_by_bytes(content[:_HEAD])
        if real_type == kinds.ZIP:
            self._office(content, list_entries(content, kinds.ZIP), self._looks)
        elif real_type in (kinds.OLE, kinds.RTF):
            self.dangers.update(_LOOKS[real_type](content))
        elif real_type == kinds.HTML or extension in kinds.HTMLS:
            # However small, it costs a parser.
            self._looks.left -= _LOOKED_AT
            if asks_for_a_secret(_in_bytes(content[:_LOOKED_AT]), self._notes, self._bounds):
                self.dangers.add(Danger.PASSWORD_FORM)

    def _packed(self, data: bytes, media_type: str, prefix: str, depth: int) -> None:
        self.dangers.add(Danger.ARCHIVE)
        content = unpack(data, media_type, self._budget)
        inner = kinds.type_by_bytes(content[:_HEAD])
        if inner not in _CONTAINERS:
            self._unpacked(content, inner, stored_name(data), prefix)
        elif depth + 1 >= self._bounds.archive_depth:
            self._budget.exceeded = True
        else:
            self._archive(content, inner, prefix, depth + 1)

    def _unpacked(self, content: bytes, real_type: str, stored: str, prefix: str) -> None:
        """Judge the one file of a compressed one: it is called like that without its ending."""
        name = (prefix[:-1] or self._part.filename).strip().rpartition(".")[0]
        for each in dict.fromkeys(filter(None, (name, stored))):
            if len(self.names) < _MAX_NAMES:
                self.names.append(each)
            self._archived_name(each)
        if real_type == kinds.EXECUTABLE:
            self.dangers.add(Danger.ARCHIVED_DANGER)
        self._document(content, kinds.extension_of(name))

    def _office(self, data: bytes, entries: list[Entry], budget: Budget) -> bool:
        """Look into a document that is a zip archive; return whether it is one."""
        names = {entry.name.lower() for entry in entries}
        if "[content_types].xml" not in names and not any(
            name == "mimetype" or name.startswith("meta-inf/manifest.xml") for name in names
        ):
            return False
        if any(name.endswith("vbaproject.bin") or name.startswith("basic/") for name in names):
            self.dangers.add(Danger.MACROS)
        if any("/embeddings/" in name and name.endswith(".bin") for name in names):
            self.dangers.add(Danger.EMBEDDED_OBJECT)
        for entry in entries:
            if entry.name.lower().endswith(".rels"):
                related = relations_of(_in_bytes(read_entry(data, entry, budget)))
                if related.load_elsewhere:
                    self.dangers.add(Danger.EXTERNAL_TEMPLATE)
                if related.have_macros:
                    self.dangers.add(Danger.MACROS)
        return True


def _danger_of_name(extension: str) -> Danger | None:
    if extension in kinds.EXECUTABLES:
        return Danger.EXECUTABLE
    if extension in kinds.SCRIPTS:
        return Danger.SCRIPT
    if extension in kinds.SHORTCUTS:
        return Danger.SHORTCUT
    if extension in kinds.DISKS:
        return Danger.DISK_IMAGE
    if extension in kinds.MACROS:
        return Danger.MACROS
    return Danger.ONENOTE if extension in ("one", "onepkg") else None


def _taken_out(data: bytes, media_type: str, entry: Entry, budget: Budget) -> bytes:
    """Return a file of an archive that is one of `_OPENED`."""
    if media_type == kinds.ZIP:
        return read_entry(data, entry, budget)
    return data[entry.offset : entry.offset + entry.packed]


def _in_bytes(content: bytes) -> bytes:
    """Return a text in UTF-8, where its first bytes say that it is in UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content


def _ole(content: bytes) -> Iterator[Danger]:
    if _VBA in content:
        yield Danger.MACROS
    if _ENCRYPTED_OFFICE in content:
        yield Danger.ENCRYPTED


def _rtf(content: bytes) -> Iterator[Danger]:
    if _RTF_OBJECT.search(content):
        yield Danger.EMBEDDED_OBJECT
    if b"\\*\\template http" in content.lower():
        yield Danger.EXTERNAL_TEMPLATE


def _pdf(content: bytes) -> Iterator[Danger]:
    if _PDF_ACTIVE.search(content):
        yield Danger.ACTIVE_PDF
    if b"/Encrypt" in content:
        yield Danger.ENCRYPTED


def _known(danger: Danger) -> Iterator[Danger]:
    yield danger


_LOOKS: Final[dict[str, Callable[[bytes], Iterator[Danger]]]] = {
    kinds.OLE: _ole,
    kinds.RTF: _rtf,
    kinds.PDF: _pdf,
    kinds.ONENOTE: lambda _content: _known(Danger.ONENOTE),
    kinds.SHORTCUT: lambda _content: _known(Danger.SHORTCUT),
    "application/vnd.ms-htmlhelp": lambda _content: _known(Danger.SCRIPT),
}
