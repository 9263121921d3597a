"""Comparisons with a text that a fact never is: true of no message, and most often a slip.

Only what is sure is told: closed sets of words, small letters, addresses that are no networks,
mailboxes as they are never spelt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from policies.mailboxes import plain_mailbox
from policies.mistakes import near
from policies.positions import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policies.expressions.syntax import Node

# RFC 8601 §2.7, with what upstreams of other makes write; empty: not asked.
_RESULTS: Final = frozenset(
    {
        *("", "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror", "policy"),
        *("hardfail", "discard", "nxdomain", "unknown"),
    }
)
_DMARC: Final = frozenset({"", "none", "quarantine", "reject"})
_DANGERS: Final = frozenset(
    {
        *("executable", "script", "shortcut", "disk_image", "double_extension", "disguised_name"),
        *("type_mismatch", "macros", "external_template", "embedded_object", "onenote", "web_page"),
        *("active_page", "password_form", "active_pdf", "archive", "encrypted", "archived_danger"),
        *("bomb", "calendar", "contact"),
    }
)
_TRAITS: Final = frozenset(
    {
        *("ip", "odd_ip", "userinfo", "port", "idn", "encoded_host", "odd_slashes", "schemeless"),
        *("mended", "wrapped", "shortener", "redirector", "hidden"),
    }
)
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "direction": frozenset({"inbound", "outbound", "internal"}),
    "result": _RESULTS,
    "helo_result": _RESULTS,
    "policy": _DMARC,
    "published": _DMARC,
    "dangers": _DANGERS,
    "traits": _TRAITS,
}
_SMALL: Final = frozenset({"author_domain", "extension", "host", "scheme", "headers"})
_MAILBOXES: Final = frozenset({"mail_from", "recipients"})
_COMPARED: Final = frozenset({"_==_", "_!=_"})


def impossible(node: Node) -> tuple[str, int] | None:
    """Return what is wrong with a comparison of a fact with a text, and where; None: nothing."""
    for fact, text in _compared(node):
        name = fact.field or fact.name
        if what := _why(name, str(text.constant)):
            return what, text.offset + 1
    return None


def _compared(node: Node) -> Iterator[tuple[Node, Node]]:
    if node.function in _COMPARED:
        one, other = node.children
        pairs = [(one, other), (other, one)]
    elif node.function == "@in" and node.children[1].is_list:
        pairs = [(node.children[0], each) for each in node.children[1].children]
    elif node.function == "@in":
        pairs = [(node.children[1], node.children[0])]
    else:
        return
    for fact, text in pairs:
        if (fact.field or fact.name) and isinstance(text.constant, str):
            yield fact, text


def _why(name: str, text: str) -> str:
    words = _WORDS.get(name)
    if words is not None and text not in words:
        return f'`{name}` is never "{short(text)}"{near(text, words - {""})}'
    if name in _MAILBOXES:
        return _why_mailbox(name, text)
    if name == "ip" and "/" in text:
        return f'an address is never a network: write in_network(connection.ip, "{short(text)}")'
    if name == "extension" and "." in text:
        return f'an extension has no dot: write "{short(text.rpartition(".")[2].lower())}"'
    if name in _SMALL and text != text.lower():
        return f'`{name}` is in small letters: write "{short(text.lower())}"'
    return ""


def _why_mailbox(name: str, text: str) -> str:
    if text == "<>":
        return f'`{name}` is empty for the null reverse path: write ""'
    plain = plain_mailbox(text)
    if plain == text:
        return ""
    return f'`{name}` has mailboxes in their plain spelling: write "{short(plain)}"'
