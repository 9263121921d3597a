"""All addresses of a message, from its texts and its HTML, each once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.message.urls.domains import is_top_level
from milter.message.urls.find import find_urls
from milter.message.urls.link import Source, Trait, Url, nested_links, read_found, read_link
from milter.message.urls.whatwg import WebUrl, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.message.files.enclosed import Enclosed
    from milter.message.guard import Bounds, Notes
    from milter.message.html.document import Html, HtmlLink

# An `href` without a scheme that readers take for an address all the same.
_HOST_LIKE: Final = re.compile(r"(?:www\.|[A-Za-z0-9-]++\.[A-Za-z0-9.-]*+(?<=[A-Za-z]{2})/)")
# Of either kind, as the pages of webmail have them.
_SLASHED: Final = re.compile(r"[/\\]{2}")
_NAME: Final = re.compile(r"(?:[A-Za-z0-9-]+\.)+([A-Za-z]{2,63})(?:[?#]|:\d|\Z)")
_HIDDEN: Final = frozenset((Trait.HIDDEN,))
_SEEN: Final[frozenset[Trait]] = frozenset()


def collect_links(
    texts: Iterable[str],
    htmls: Iterable[Html],
    notes: Notes,
    bounds: Bounds,
    enclosed: Iterable[Enclosed] = (),
) -> tuple[Url, ...]:
    """Return the addresses in HTML, then those in running text, each followed by those inside it.

    At the end stand those of documents and pictures, as far as these were opened.

    One address may come several times, where it stands in different places or under other words.
    """
    collection = _Collection(bounds.urls)
    for html in htmls:
        collection.add_html(html, bounds)
    for text in texts:
        for found in find_urls(text, bounds):
            collection.add(read_found(found))
    for file in enclosed:
        collection.add_enclosed(file, bounds)
    if collection.full:
        notes.limit("urls", "more addresses than are read")
    return tuple(collection.links)


class _Collection:
    """Addresses found so far."""

    def __init__(self, most: int) -> None:
        self.links: list[Url] = []
        self.full = False
        self._most = most
        self._known: set[tuple[str, Source, str]] = set()

    def add(self, url: Url | None) -> None:
        """Keep an address and those that stand in it."""
        if url is None:
            return
        key = (url.href, url.source, url.text)
        if key in self._known:
            return
        if len(self.links) >= self._most:
            self.full = True
            return
        self._known.add(key)
        self.links.append(url)
        # What `data:` holds is looked at by nobody as an address.
        if url.scheme != "data":
            for inner in nested_links(url):
                self.add(inner)

    def add_enclosed(self, file: Enclosed, bounds: Bounds) -> None:
        """Keep the addresses of a file: of its links, of its text, and of its codes."""
        for link in file.links:
            self.add(read_link(link, Source.FILE))
        for found in find_urls(file.text, bounds):
            if url := read_found(found):
                self.add(url._replace(source=Source.FILE))
        for code in file.codes:
            for found in find_urls(code, bounds):
                if url := read_found(found):
                    self.add(url._replace(source=Source.CODE))

    def add_html(self, html: Html, bounds: Bounds) -> None:
        """Keep the addresses of attributes, and those that are written out in what is seen."""
        base = parse_url(html.base) if html.base else None
        if base is not None and base.opaque:
            # Nothing is relative to `about:blank`.
            base = None
        for link in html.links:
            self.add(_opened(link, base))
        for found in find_urls(html.scripted, bounds) if html.scripted else ():
            # Names without a scheme are those of things: `window.open`.
            if not found.schemeless and (url := read_found(found)):
                self.add(url._replace(source=Source.SCRIPT))
        if written := find_urls(html.text, bounds):
            # The words of a link lead where the link does, whatever they say.
            shown = {found.written for found in find_urls("\n".join(_labels(html)), bounds)}
            for found in written:
                if found.written not in shown:
                    self.add(read_found(found))


def _labels(html: Html) -> Iterable[str]:
    return (link.text for link in html.links if link.source is Source.LINK and link.text)


def _opened(link: HtmlLink, base: WebUrl | None) -> Url | None:
    written = link.written.strip()
    extra = _HIDDEN if link.hidden else _SEEN
    if base is None:
        if _SLASHED.match(written):
            written = f"https:{written}"
        elif _HOST_LIKE.match(written) or (link.source is Source.LINK and _is_name(written)):
            written, extra = f"http://{written}", extra | {Trait.SCHEMELESS}
    return read_link(written, link.source, link.text, base=base, extra=extra)


def _is_name(written: str) -> bool:
    """Return whether `written` is a name of a host and no file beside: `a.example.net:8080/x`."""
    name = _NAME.match(written)
    return name is not None and is_top_level(name[1].lower())
