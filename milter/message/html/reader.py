"""HTML to what a person sees, in one walk over the tree of a browser's parser (Lexbor).

Each element hands down how it is seen; an element that says nothing about it shares what lies
around it, so most of the walk is a look into a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from milter.message.guard import DEFAULT_BOUNDS, Bounds, Notes
from milter.message.html import scripts
from milter.message.html.conditional import for_outlook, with_more
from milter.message.html.declarations import written_out
from milter.message.html.document import Form, Html, HtmlLink, Image
from milter.message.html.element import BLOCKS, is_small, style_of
from milter.message.html.order import Turned, in_order
from milter.message.html.prescan import fits, strip_markup
from milter.message.html.refresh import refresh_target
from milter.message.html.seen import INDENTED, Seen, handed_down
from milter.message.html.sheet import Sheet
from milter.message.html.style import PLAIN
from milter.message.urls.link import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from selectolax.lexbor import LexborNode

_Attributes = dict[str, str | None]

# What they hold is no text for people.
_MUTE_NAMES: Final = """
script style template noembed noframes iframe title head
"""
_MUTE: Final = frozenset(_MUTE_NAMES.split())
_LINKS: Final[dict[str, tuple[str, Source]]] = {
    "amp-img": ("src", Source.IMAGE),
    "area": ("href", Source.LINK),
    "iframe": ("src", Source.FRAME),
    "frame": ("src", Source.FRAME),
    "embed": ("src", Source.FRAME),
    "object": ("data", Source.FRAME),
    "link": ("href", Source.STYLE),
    "source": ("src", Source.IMAGE),
    "video": ("src", Source.IMAGE),
    "audio": ("src", Source.IMAGE),
}
# Shapes of VML, which Outlook draws; newsletters make buttons of them.
_SHAPES_NAMES: Final = """
v:arc v:curve v:group v:image v:line v:oval v:polyline v:rect v:roundrect v:shape
"""
_SHAPES: Final = frozenset(_SHAPES_NAMES.split())
_FIELDS: Final = frozenset(("input", "textarea", "select", "button"))
_TAKEN: Final = frozenset(("a", "img", "form", "meta", "base", *_LINKS, *_FIELDS))
# What tags do whatever their attributes are, in one table: most do nothing.
_BLOCK, _BREAKS, _MUTES, _LEADS, _TAKES = 1, 2, 4, 8, 16
_DOES: Final = (
    dict.fromkeys(_TAKEN, _TAKES)
    | dict.fromkeys(BLOCKS, _BLOCK)
    | dict.fromkeys(_MUTE, _MUTES)
    | {"br": _BREAKS, "a": _LEADS | _TAKES, "form": _BLOCK | _LEADS | _TAKES}
    | {"iframe": _MUTES | _TAKES}
    | dict.fromkeys(_SHAPES, _LEADS | _TAKES)
)
# Attributes that by themselves say nothing of how an element is seen, nor lead anywhere. Those of
# links, pictures and fields are looked at all the same.
_SILENT_NAMES: Final = """
align border cellpadding cellspacing class colspan face height id lang name role rowspan size
style target title valign width xml:lang
"""
_SILENT: Final = frozenset(_SILENT_NAMES.split())
_LABELLED: Final = frozenset(("submit", "button", "reset", "text"))
# What machines read of a message; nothing of it is run.
_DATA_TYPES: Final = frozenset(("application/ld+json", "application/json"))
_PICTURED: Final = ("background", "poster")
# What tells a person, or the browser that fills it in, what belongs into a field.
_HINTS: Final = ("placeholder", "autocomplete", "aria-label", "title")
_MAX_SHEETS: Final = 20
_MAX_ALT: Final = 1_000
# Letters that the first line of a text may hold, which alone is moved by `text-indent`.
_FIRST_LINE: Final = 200
# Space for Python, and nothing for who reads HTML.
_NO_SPACE: Final = "\x1c\x1d\x1e\x1f\x85"
_REMOTE: Final = ("http:", "https:", "//")


class _Open:
    """A link or a form of which the inside is still being read."""

    __slots__ = ("fields", "hidden", "hints", "names", "pieces", "written")

    def __init__(self, written: str, hidden: bool) -> None:
        self.written = written
        self.hidden = hidden
        self.pieces: list[str] = []
        self.fields: list[str] = []
        self.names: list[str] = []
        self.hints: list[str] = []


class _Walk:
    """One walk through one document; lives as long as that takes."""

    def __init__(self, bounds: Bounds) -> None:
        self._most = bounds.urls
        self._addresses: set[str] = set()
        # Whether there were more addresses than are read.
        self.full = False
        self.visible: list[str] = []
        self.hidden: dict[str, list[str]] = {}
        self.title: list[str] = []
        self.alt: list[str] = []
        # A link is known where it opens and what it shows where it has closed.
        self.links: list[tuple[_Open, Source]] = []
        self.forms: list[_Open] = []
        self.images: list[Image] = []
        self.base = ""
        self.scripts = 0
        self.scripted: list[str] = []
        self.comments: list[str] = []
        # Fields outside of any form, which scripts send.
        self._loose: _Open | None = None
        self._takes: dict[str, Callable[[_Attributes, Seen], None]] = {
            "a": self._anchor,
            "img": self._image,
            "form": self._form,
            "meta": self._meta,
            "base": self._base,
        }
        self._sheet = Sheet()
        # Words in style sheets.
        self._drawn: list[str] = []
        self._blocks = 0
        self._block = 0
        # Letters of the block that were moved beside the page.
        self._indented = 0

    def run(self, text: str, around: Seen) -> None:
        tree = LexborHTMLParser(text)
        sheets = tree.css("style")
        for sheet in sheets[:_MAX_SHEETS]:
            self._sheet.add(text := sheet.text(), sheet.attributes.get("media") or "")
            self._drawn += written_out(text)
        if len(sheets) > _MAX_SHEETS:
            self._sheet.add_unread()
        if (first := tree.root) is not None:
            # Comments may stand before all elements.
            while first.prev is not None:
                first = first.prev
            self._read(first, around)
        for words in self._drawn:
            self.visible += ("\n", words)

    # One function, for a call for each node would cost as much as all that is done with it.
    def _read(self, first: LexborNode, around: Seen) -> None:  # noqa: C901, PLR0912
        visible, sheet = self.visible, self._sheet if self._sheet else None
        # The block that text belongs to.
        block = 0
        above: list[tuple[LexborNode, Seen, int]] = []
        node: LexborNode | None = first
        while node is not None:
            tag, does, inside, child, style = node.tag or "-", 0, around, None, PLAIN
            if tag == "-text":
                text = node.text_content or ""
                if around.mute:
                    self._unseen(text, above[-1][0])
                elif text.isspace():
                    visible.append(" ")
                else:
                    self._text(text, around, block)
            elif tag[0] != "-":
                does, attributes = _DOES.get(tag, 0), node.attributes
                if does & _BREAKS:
                    visible.append("\n")
                    self._indented = _FIRST_LINE
                if does >= _MUTES or not attributes.keys() <= _SILENT:
                    style = style_of(tag, attributes, sheet)
                    inside = self._element(tag, does, attributes, handed_down(around, style))
                elif sheet is not None or "style" in attributes or around.size is not None:
                    style = style_of(tag, attributes, sheet)
                    inside = handed_down(around, style)
                child = node.first_child
            elif tag == "-comment" and around.hidden != "display":
                self.comments.append(node.comment_content or "")
            if child is not None:
                above.append((node, around, block))
                if does & _BLOCK and style.boxed is not False:
                    self._blocks = block = self._blocks + 1
                node, around = child, inside
                continue
            node = node.next
            while node is None and above:
                outer, around, block = above.pop()
                node = outer.next

    def _unseen(self, text: str, element: LexborNode) -> None:
        if element.tag == "title":
            self.title.append(text)
        elif element.tag == "script" and element.attributes.get("type") not in _DATA_TYPES:
            self.scripted.append(text)

    def _text(self, text: str, around: Seen, block: int) -> None:
        if block != self._block:
            self._block, self._indented = block, 0
            self.visible.append("\n")
        reason = around.reason() if around.why is None else around.why
        if reason == INDENTED:
            self._indented += len(text)
            reason = "position" if self._indented <= _FIRST_LINE else ""
        if reason:
            self.hidden.setdefault(reason, []).append(text)
            return
        text = text.replace("\n", " ") if "\n" in text else text
        text = Turned(text[::-1]) if around.reversed else text
        self.visible.append(text)
        if around.link >= 0:
            self.links[around.link][0].pieces.append(text)

    def _element(self, tag: str, does: int, attributes: _Attributes, inside: Seen) -> Seen:
        """Return how what an element holds is seen, and take what it leads to."""
        if does & (_MUTES | _LEADS):
            inside = inside.copy()
        if does & _MUTES:
            inside.mute = True
            self.scripts += tag == "script"
        if does & _TAKES and (attributes or tag == "form"):
            self._take(tag, attributes, inside)
        for name in attributes:
            if name in _PICTURED or name[:2] == "on":
                self._take_any(name, attributes, inside)
        return inside

    def _take(self, tag: str, attributes: _Attributes, inside: Seen) -> None:
        """Take the addresses and fields of an element."""
        if (take := self._takes.get("a" if tag in _SHAPES else tag)) is not None:
            take(attributes, inside)
        elif tag in _FIELDS:
            self._field(tag, attributes, inside)
        elif (place := _LINKS.get(tag)) is not None and (written := attributes.get(place[0])):
            self._link(written, place[1], inside)

    def _take_any(self, name: str, attributes: _Attributes, inside: Seen) -> None:
        """Take what any element may have: a picture behind it, handlers of events."""
        written = attributes[name] if name in _PICTURED else None
        if name not in _PICTURED:
            self.scripts += 1
            self.scripted.append(attributes[name] or "")
        elif written:
            self._link(written, Source.IMAGE, inside)

    def _anchor(self, attributes: _Attributes, inside: Seen) -> None:
        if href := attributes.get("href") or attributes.get("xlink:href"):
            inside.link = len(self.links)
            if not self._link(href, Source.LINK, inside):
                inside.link = -1
            self.scripts += href.lstrip()[:11].lower() == "javascript:"

    def _link(self, written: str, source: Source, inside: Seen, text: str = "") -> bool:
        """Keep an address; return whether there is room. One that was there before takes none."""
        if len(self._addresses) >= self._most and written not in self._addresses:
            self.full = True
            return False
        self._addresses.add(written)
        link = _Open(written, inside.is_hidden)
        link.pieces.append(text)
        self.links.append((link, source))
        return True

    def all_links(self) -> tuple[HtmlLink, ...]:
        links = [
            HtmlLink(link.written, source, _one_line(link.pieces), link.hidden)
            for link, source in self.links
        ]
        # Of a heap of them those that are alike are one.
        return tuple(links if len(links) <= self._most else dict.fromkeys(links))

    def _image(self, attributes: _Attributes, inside: Seen) -> None:
        alt = (attributes.get("alt") or "")[:_MAX_ALT].strip()
        if alt:
            self.alt.append(alt)
            if inside.link >= 0:
                self.links[inside.link][0].pieces.append(f" {alt} ")
        written = attributes.get("src")
        if not written:
            # Words stand for it (WHATWG HTML, §4.8.4.4).
            self.visible.append(f" {alt} " if alt and not inside.reason() else "")
            return
        small = is_small(attributes) or inside.is_hidden
        remote = written.lstrip()[:6].lower().startswith(_REMOTE)
        self.images.append(Image(written, remote and small))
        self._link(written, Source.IMAGE, inside, alt)

    def _form(self, attributes: _Attributes, inside: Seen) -> None:
        inside.form = len(self.forms)
        form = _Open(
            attributes.get("action") or attributes.get("action-xhr") or "", inside.is_hidden
        )
        self.forms.append(form)
        if form.written:
            self.links.append((form, Source.FORM))

    def _base(self, attributes: _Attributes, _inside: Seen) -> None:
        self.base = self.base or attributes.get("href") or ""

    def _field(self, tag: str, attributes: _Attributes, inside: Seen) -> None:
        if written := attributes.get("formaction"):
            self._link(written, Source.FORM, inside)
        kind = (attributes.get("type") or ("text" if tag == "input" else tag)).lower()[:40]
        if kind in _LABELLED and (value := attributes.get("value")) and not inside.reason():
            self.visible.append(f" {value[:_MAX_ALT]} ")
        if kind == "image" and (written := attributes.get("src")):
            self._link(written, Source.IMAGE, inside)
        form = self.forms[inside.form] if inside.form >= 0 else self._loose
        if form is None:
            form = self._loose = _Open("", hidden=False)
            self.forms.append(form)
        form.fields.append(kind)
        form.names.append((attributes.get("name") or attributes.get("id") or "").lower()[:80])
        form.hints += [hint.lower()[:80] for name in _HINTS if (hint := attributes.get(name))]

    def _meta(self, attributes: _Attributes, _inside: Seen) -> None:
        if (attributes.get("http-equiv") or "").strip().lower() != "refresh":
            return
        written = refresh_target(attributes.get("content") or "")
        if written:
            self.links.append((_Open(written, hidden=False), Source.REFRESH))


def read_html(text: str, notes: Notes, bounds: Bounds = DEFAULT_BOUNDS) -> Html:
    """Return what the HTML `text` shows, hides and leads to.

    What is too large or too deep is read without a parser: then `whole` is false.
    """
    if not fits(text, notes, bounds):
        return _stripped(text, bounds)
    try:
        walk = _Walk(bounds)
        walk.run(text, Seen())
        html = _html_of(walk, notes)
        if walk.comments and (shown := for_outlook(walk.comments)) and fits(shown, notes, bounds):
            html = with_more(html, _read_on(shown, notes, bounds))
    except SelectolaxError:
        # All that it says is that there was no memory.
        notes.limit("html", "HTML takes more memory than there is")
        return _stripped(text, bounds)
    return html


def _read_on(shown: str, notes: Notes, bounds: Bounds) -> Html:
    """Return what stands in comments; what it lies on is not known, so that no colour hides it."""
    walk, around = _Walk(bounds), Seen()
    around.background = None
    walk.run(shown, around)
    return _html_of(walk, notes)


def _html_of(walk: _Walk, notes: Notes) -> Html:
    if walk.full:
        notes.limit("urls", "more addresses than are read")
    return Html(
        text=_lines(in_order(walk.visible)),
        hidden={reason: " ".join(" ".join(texts).split()) for reason, texts in walk.hidden.items()},
        title=" ".join("".join(walk.title).split()),
        alt="\n".join(walk.alt),
        links=walk.all_links(),
        forms=tuple(
            Form(form.written, tuple(form.fields), tuple(form.names), tuple(form.hints))
            for form in walk.forms
        ),
        images=tuple(walk.images),
        base=walk.base,
        scripts=walk.scripts,
        scripted=scripts.written_out("\n".join(walk.scripted)) if walk.scripted else "",
    )


def _stripped(text: str, bounds: Bounds) -> Html:
    plain, hrefs = strip_markup(text[: bounds.html_chars * 2], bounds.urls)
    links = tuple(HtmlLink(written, Source.LINK, "", hidden=False) for written in hrefs)
    return Html(text=plain, links=links, whole=False)


def _one_line(pieces: list[str]) -> str:
    return " ".join(in_order(pieces).split())[:1_000]


def _lines(text: str) -> str:
    """Return `text` with space collapsed, without empty lines; line feeds are line ends."""
    for control in _NO_SPACE:
        if control in text:
            text = text.replace(control, "")
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return "\n".join([line for line in lines if line])
