"""Collections of odd messages, next to what others say of them.

The oracle for those without an answer of their own is the standard library's compat32 parser, as on
the corpora; where it sees no defect and reads otherwise, the reason stands here.
"""

from __future__ import annotations

import html
import json
import re
import textwrap
from typing import TYPE_CHECKING

import pytest

from milter.message.document import Message
from milter.message.guard import DEFAULT_BOUNDS, Fault, Notes
from milter.message.html.reader import read_html
from milter.message.text.fold import skeleton
from milter.message.urls.link import Source
from tests.support.third_party import SHARED
from tests.unit.message.test_corpora import own_reading, standard_reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.conformance

_DATA = SHARED / "conformance"
_MIME = _DATA / "mime"
_NO_MESSAGES = re.compile(
    r"\.(?:json|html|xhtml|tokens|xml|out|ref|bin|tsv)$|_decoded_|/(?:COPYING|test-list)$"
    r"|/openphish-feed\.txt$|/mimekit/text/|/postfix/(?:smtpd|tok822|quote)"
)
# compat32 reads the blocks of a notification, and of what is kept elsewhere, as messages with empty
# parts of text; it reads no parts between delimiters that follow each other, and leaves files that
# are written into a text (uuencode) where they are.
_NOT_THE_STANDARD_LIBRARYS = {
    "flanker/complaints/aol.eml",
    "flanker/complaints/yahoo.eml",
    "flanker/disposition-notification.eml",
    "flanker/message-external-body.eml",
    "mimekit/messages/disposition-notification.anonymized.eml",
    "mimekit/messages/disposition-notification.txt",
    "python-test_email/msg_36.txt",
    "python-test_email/msg_37.txt",
    "stalwart-mail-parser/eml/legacy/049.eml",
}


def the(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"the test data is not there: {path}")
    return path


def collected(folder: Path) -> Iterator[Path]:
    for path in sorted(the(folder).rglob("*")):
        if path.is_file() and not _NO_MESSAGES.search(str(path)):
            yield path


def test_messages_have_the_leaves_that_the_standard_library_sees() -> None:
    read, unlike = 0, set()
    for path in (*collected(_MIME), *collected(_DATA / "content")):
        message = Message(path.read_bytes())
        leaves, texts, broken = standard_reading(message.raw)
        read += 1
        if own_reading(message) == (leaves, texts):
            continue
        message.read()
        noted = any(each.fault in (Fault.MIME, Fault.HEADER) for each in message.defects)
        if not broken and not noted:
            unlike.add(str(path.relative_to(_MIME)))
    assert unlike == _NOT_THE_STANDARD_LIBRARYS
    assert read > 400


# What of compat32's defects is one for us: the others are read as mail readers do, without a word.
_FAULTS = {
    "StartBoundaryNotFoundDefect": Fault.MIME,
    "NoBoundaryInMultipartDefect": Fault.MIME,
    "CloseBoundaryNotFoundDefect": Fault.MIME,
    "MissingHeaderBodySeparatorDefect": Fault.HEADER,
    "FirstHeaderLineIsContinuationDefect": Fault.HEADER,
}


def test_defects_are_those_that_the_standard_library_is_tested_for() -> None:
    cases = json.loads(the(_MIME / "python-test_email" / "defects.json").read_text("utf-8"))[
        "cases"
    ]
    for case in cases:
        if case["source"] is None:
            continue
        message = Message(textwrap.dedent(case["source"]).lstrip("\n").encode())
        message.read()
        expected = {_FAULTS[name] for name in case["defects"] if name in _FAULTS}
        assert expected <= {each.fault for each in message.defects}, case["test"]
    assert len(cases) == 13


# What Postfix warns of, and the words for it here. The header of `mime_trunc` is one that we read.
_WARNINGS = {
    "dom": "a message that is encoded as a whole",
    "garb1": "a message that is encoded as a whole",
    "garb4": "a message that is encoded as a whole",
    "garb3": "a line in the header that is no header field",
    "nest": "a multipart whose boundary never comes",
    "test": "a multipart whose boundary never comes",
}


@pytest.mark.parametrize("name", _WARNINGS)
def test_what_postfix_warns_of_is_noted(name: str) -> None:
    assert "warning: " in the(_MIME / "postfix" / f"mime_{name}.ref").read_text("latin-1")
    message = Message((_MIME / "postfix" / f"mime_{name}.in").read_bytes())
    message.read()
    assert _WARNINGS[name] in {each.what for each in message.defects}


@pytest.mark.parametrize("name", ["8bit", "garb2", "trunc"])
def test_texts_are_found_where_postfix_finds_bodies(name: str) -> None:
    raw = the(_MIME / "postfix" / f"mime_{name}.in").read_bytes()
    bodies = (_MIME / "postfix" / f"mime_{name}.ref").read_text("latin-1")
    seen = {line.strip() for line in re.findall(r"^BODY \w \d+\t\|(.*)$", bodies, re.M)}
    for text in Message(raw).texts:
        lines = {line.strip() for line in text.text.splitlines()}
        assert {line for line in lines if line.isascii()} <= seen


_TAG = re.compile(r'^Tag: <(a|area)\b((?:[^">]|"[^"]*")*)>', re.M | re.I)
_HREF = re.compile(r'\bhref="([^"]*)"', re.I)
# In an attribute `&section` is no `§ion`: a name without semicolon counts only before what is no
# letter, no digit and no equals sign (HTML, character reference state).
_BARE_NAME = re.compile(r"&(?=[A-Za-z]+[A-Za-z0-9=])(?![A-Za-z0-9]+;)")


@pytest.mark.parametrize(
    "name",
    [
        *("Gimhae_Kim_clan.utf-8", "badly-quoted-attr", "blocked", "cdata", "papercut"),
        *("papercut-4.4", "plaintext", "script-data", "test", "xamarin3"),
    ],
)
def test_html_has_the_links_and_words_of_the_tokens(name: str) -> None:
    page = the(_MIME / "mimekit" / "html" / f"{name}.html").read_text("utf-8", "replace")
    tokens = (_MIME / "mimekit" / "html" / f"{name.partition('.utf')[0]}.tokens").read_text(
        "utf-8", "replace"
    )
    hrefs = [href[1] for tag in _TAG.finditer(tokens) if (href := _HREF.search(tag[2]))]
    read = read_html(page, Notes(), DEFAULT_BOUNDS)
    assert [link.written for link in read.links if link.source is Source.LINK] == [
        html.unescape(_BARE_NAME.sub("&amp;", href)) for href in hrefs
    ]
    data = "".join(re.findall(r"^Data: (.*)$", tokens, re.M))
    known = re.sub(r"\s", "", re.sub(r"\\[ntr]", "", data))
    assert [word for word in re.findall(r"\w+", read.text) if word not in known] == []


def test_character_references_are_those_of_html() -> None:
    names = json.loads(the(_MIME / "mimekit" / "html" / "HtmlEntities.json").read_text("utf-8"))
    letters = {name: each["characters"] for name, each in names.items() if name.endswith(";")}
    unlike = []
    for name, characters in letters.items():
        text = read_html(f"<p>a{name}b</p>", Notes(), DEFAULT_BOUNDS).text.strip()
        if text.split() != f"a{characters}b".split():
            unlike.append(name)
    assert len(letters) > 2_000
    assert unlike == []


def test_pages_of_newsletters_are_read_whole() -> None:
    for path in sorted(the(_MIME / "mimekit" / "text").glob("*.html")):
        read = read_html(path.read_text("utf-8", "replace"), Notes(), DEFAULT_BOUNDS)
        assert read.whole
        assert len(read.text.split()) > 20
        assert any(link.source is Source.LINK for link in read.links)


def test_letters_that_are_listed_as_look_alikes_have_one_skeleton() -> None:
    alike = json.loads(the(_DATA / "url" / "confusables.json").read_text("utf-8"))["map"]
    told, apart = 0, []
    for letter, others in alike.items():
        for other in others:
            if len(letter) == len(other) == 1 and other.isascii() and other.isalpha():
                if letter.isascii() or not letter.isalpha():
                    continue
                # In a word of Latin letters: words of one script are taken as they are.
                if skeleton(f"wax{letter}fist") == skeleton(f"wax{other}fist"):
                    told += 1
                elif other != "l" or skeleton(f"wax{letter}fist") != "waxifist":
                    apart.append(letter)
    # Their compatibility or small forms come first.
    rare = "\u017f\u037a\u03d2\u03f2\u03f9\ua7b4\U000118a3\U000118a4\U000118bc"
    assert "".join(sorted(apart)) == rare
    assert told > 1_000
