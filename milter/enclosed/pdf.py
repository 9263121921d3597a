"""Text, links and pages of a PDF, through PDFium. Only for the process that may die of it."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any, Final

_PAGES: Final = 20
_TEXT: Final = 200_000
_LINKS: Final = 200
# Of a page that is looked at for codes: enough for a code of two centimetres, and bounded.
_PAGES_SEEN: Final = 3
_SIDE: Final = 1_200


class Document:
    """An open document.

    Raises:
        Exception: Of PDFium, where it cannot be opened.
    """

    def __init__(self, content: bytes) -> None:
        self._pdfium: Any = importlib.import_module("pypdfium2")
        self._raw: Any = importlib.import_module("pypdfium2.raw")
        self._document = self._pdfium.PdfDocument(content)
        self._count = min(len(self._document), _PAGES)

    def text_and_links(self) -> tuple[str, list[str]]:
        """Return the text of the first pages, and what their links open."""
        texts: list[str] = []
        links: list[str] = []
        left = _TEXT
        for number in range(self._count):
            page = self._document[number]
            text = page.get_textpage().get_text_bounded()[:left]
            texts.append(text.replace("\r\n", "\n"))
            left -= len(text)
            links += self._links(page)
            if left <= 0 or len(links) >= _LINKS:
                break
        return "\n".join(texts), links[:_LINKS]

    def pictures(self) -> list[Any]:
        """Return the first pages as they are seen, in shades of grey."""
        pictures = []
        for number in range(min(self._count, _PAGES_SEEN)):
            page = self._document[number]
            longest = max(*page.get_size(), 1.0)
            bitmap = page.render(scale=min(_SIDE / longest, 3.0), grayscale=True)
            pictures.append(bitmap.to_pil())
        return pictures

    def _links(self, page: Any) -> list[str]:
        raw = self._raw
        found: list[str] = []
        place, link = ctypes.c_int(0), raw.FPDF_LINK()
        while len(found) < _LINKS and raw.FPDFLink_Enumerate(page, place, link):
            action = raw.FPDFLink_GetAction(link)
            if action and raw.FPDFAction_GetType(action) == raw.PDFACTION_URI:
                size = raw.FPDFAction_GetURIPath(self._document, action, None, 0)
                buffer = ctypes.create_string_buffer(size)
                raw.FPDFAction_GetURIPath(self._document, action, buffer, size)
                found.append(buffer.value.decode("utf-8", "replace"))
        return found
