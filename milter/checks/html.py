"""What the HTML of a message does that its reader is not meant to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.urls.link import Source
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.message.html.document import Html, HtmlLink

# A line that mail programs show beside the subject is hidden in most newsletters, with filler.
_PREVIEW: Final = 300
# Ways to hide that newsletters do not use for it: letters of the background's colour, or a place
# beside the page.
_SLY: Final = frozenset(("colour", "position", "size", "opacity"))
_LEAST_SLY: Final = 40
# A page of pictures has a line for who cannot see them, and one for who wants no more of them.
_LITTLE: Final = 200
_SHOWN: Final = 80


class HtmlCheck:
    """Hidden text, forms that ask for passwords, scripts, and pictures that report back."""

    name = "html"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset(
        {
            *("HTML_HIDDEN_TEXT", "HTML_HIDDEN_MUCH", "HTML_PASSWORD_FORM", "HTML_FORM"),
            *("HTML_SCRIPT", "HTML_TRACKING_PIXEL", "HTML_ONLY_PICTURES"),
            "HTML_LITTLE_TEXT",
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what was found in the HTML parts, each symbol once."""
        if message is None or not message.html:
            return NOTHING
        seen: dict[str, Finding] = {}
        for html in message.html:
            for finding in (*_hidden(html), *_forms(html), *_rest(html)):
                seen.setdefault(finding.symbol, finding)
        return Evidence(tuple(seen.values())) if seen else NOTHING


def _hidden(html: Html) -> Iterator[Finding]:
    sly = [(reason, text) for reason, text in html.hidden.items() if reason in _SLY]
    if sum(len(text) for _, text in sly) >= _LEAST_SLY:
        reason, text = max(sly, key=lambda pair: len(pair[1]))
        yield Finding("HTML_HIDDEN_TEXT", f"{reason}: {text[:_SHOWN]}")
    hidden = sum(map(len, html.hidden.values()))
    if hidden > _PREVIEW and hidden > len(html.text):
        yield Finding("HTML_HIDDEN_MUCH", f"{hidden} letters hidden, {len(html.text)} seen")


def _forms(html: Html) -> Iterator[Finding]:
    for form in html.forms:
        if form.asks_for_a_secret:
            yield Finding("HTML_PASSWORD_FORM", form.action[:_SHOWN] or "sends to the page itself")
        elif form.fields:
            yield Finding("HTML_FORM", form.action[:_SHOWN])


def _rest(html: Html) -> Iterator[Finding]:
    if html.scripts:
        yield Finding("HTML_SCRIPT", f"{html.scripts} scripts or event handlers")
    tracking = [image.written for image in html.images if image.tracking]
    if tracking:
        yield Finding("HTML_TRACKING_PIXEL", tracking[0][:_SHOWN])
    shown = len(html.images) - len(tracking)
    if not html.text and html.images and html.whole:
        yield Finding("HTML_ONLY_PICTURES", f"{len(html.images)} pictures, no text")
    elif shown and len(html.text) < _LITTLE and any(map(_is_clicked, html.links)):
        yield Finding("HTML_LITTLE_TEXT", f"{shown} pictures, {len(html.text)} letters")


def _is_clicked(link: HtmlLink) -> bool:
    return link.source is Source.LINK and link.written[:4].lower() == "http"
