"""The page of `gatepost policy diff --html`: whole by itself, and safe whatever names are in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from milter.cli.comparison import page
from policies.compare import Change, Comparison, Side

NAME = "cur/<script>alert('1')</script>&\".eml"


class Elements(HTMLParser):
    """Notes the elements and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def a_page(*changes: Change) -> str:
    return page("old<b>.yaml", "new&.yaml", Comparison(3, changes))


def a_change(domain: str) -> Change:
    sides = Side("pass", 0.0, ""), Side("tag", 5.5, "FEE")
    return Change(NAME, domain, *sides, ("FEE",))


def test_page_shows_names_as_text_and_loads_nothing() -> None:
    text = a_page(a_change("example.org"))
    elements = Elements(text)

    assert elements.names.isdisjoint({"script", "b", "a", "img", "link", "iframe"})
    assert elements.attributes == {"lang", "charset", "name", "content"}
    assert not re.search(r"url\(|@import|https?:", text)
    assert NAME in elements.texts
    assert "old<b>.yaml → new&.yaml" in elements.texts


def test_page_says_where_recipients_are_not_known() -> None:
    assert "not known" in Elements(a_page(a_change(""))).texts


def test_page_of_no_change_has_no_tables() -> None:
    elements = Elements(a_page())

    assert "table" not in elements.names
    assert "0 of 3 messages change." in elements.texts
