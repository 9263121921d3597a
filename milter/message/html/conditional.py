"""What stands in comments that Outlook for Windows reads: `<!--[if mso]>...<![endif]-->`.

For a browser it is a comment; whoever reads mail in Outlook sees it. Newsletters have tables and
buttons there that they have once more for everybody else, so only what is new is added.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.message.html.document import Html

# Some write `<!-->` for its end.
_CONDITIONAL: Final = re.compile(
    r"\s*+\[if\b([^\]]{0,200})\]>(.*?)(?:<!\[endif\]|<!\s*+\Z|\Z)", re.DOTALL | re.IGNORECASE
)
_NEGATED: Final = re.compile(r"!\s{0,5}(?:\([^)]*+\)?|\w+)")
_OUTLOOK: Final = re.compile(r"\b(?:mso|vml|true)\b", re.IGNORECASE)
# Settings of Office; nobody is shown them.
_SETTINGS: Final = re.compile(r"<xml\b.*?(?:</xml\s*+>|\Z)", re.DOTALL | re.IGNORECASE)


def for_outlook(comments: Iterable[str]) -> str:
    """Return the HTML in those of `comments` that Outlook reads, as one text."""
    shown = []
    for comment in comments:
        found = _CONDITIONAL.match(comment)
        if found and _OUTLOOK.search(_NEGATED.sub("", found[1])):
            shown.append(_SETTINGS.sub(" ", found[2]))
    return "\n".join(shown)


def with_more(html: Html, more: Html) -> Html:
    """Return `html` with lines, links and forms of `more` that it does not have."""
    known = frozenset(html.text.casefold().split("\n"))
    lines = [line for line in more.text.split("\n") if line and line.casefold() not in known]
    links = frozenset([(link.written, link.text.casefold()) for link in html.links])
    forms = frozenset(html.forms)
    return replace(
        html,
        text="\n".join([html.text, *lines] if html.text else lines),
        links=(
            *html.links,
            *[link for link in more.links if (link.written, link.text.casefold()) not in links],
        ),
        forms=(*html.forms, *[form for form in more.forms if form not in forms]),
    )
