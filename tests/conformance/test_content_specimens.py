"""Specimens of tricks that another filter is tested with, and of innocent oddities.

Most of them are about one module of that filter; what is held here is what a person would say of
the message: that the trick is seen, and that oddities alone mark nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import pytest

from bench.content import a_pipeline
from milter.checks.gtube import GtubeCheck
from milter.core.ids import SessionId, TxnId
from milter.enclosed.reader import EnclosedReader, Reading
from milter.message.document import Message
from milter.message.lines import with_crlf
from milter.message.urls.link import Trait
from milter.pipeline.offline import Envelope, judge
from policies.verdict import Action
from tests.support.checks import a_transaction
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policies.findings import Finding
    from policies.verdict import Verdict

pytestmark = pytest.mark.conformance

_SPAM: Final = SHARED / "conformance" / "content" / "spamassassin-spam" / "spam"
_NICE: Final = SHARED / "conformance" / "mime" / "spamassassin-nice"
_MARKED: Final = ("001", "003", "005", "007", "009", "011", "badmime.txt", "bsmtp")
_SEEN: Final = {
    "badctype1": "MIME_MALFORMED",
    "badmime3.txt": "MIME_MALFORMED",
    "013": "FROM_NAME_ADDRESS",
    "015": "HEADER_MALFORMED",
    "017": "EMPTY_MESSAGE",
    "decodeshorturl/anchor.eml": "LINK_SHORTENER",
    "decodeshorturl/base2.eml": "LINK_SHORTENER",
    "decodeshorturl/doubleslash.eml": "LINK_SHORTENER",
    "dnsbl.eml": "LINK_RAW_ADDRESS",
    "dnsbl_ipsonly.eml": "DATE_INVALID",
    "gtube.eml": "GTUBE",
    "gtubedcc_crlf.eml": "GTUBE",
    "pyzor": "GTUBE",
    "relayUS.eml": "LINK_RAW_ADDRESS",
}


def verdicts(paths: list[Path]) -> Mapping[str, Verdict]:
    """Return the verdict on each message, offline and under `balanced`."""
    pipeline = a_pipeline()
    ids = TxnId("TEST00000001"), SessionId("TEST00000001")

    async def all_of_them() -> dict[str, Verdict]:
        judged = {}
        for path in paths:
            one = await judge(pipeline, with_crlf(path.read_bytes()), Envelope(), *ids)
            judged[path.name] = one.outcome.verdict
        return judged

    return asyncio.run(all_of_them())


def the(folder: Path) -> Path:
    if not folder.exists():
        pytest.skip(f"the test data is not there: {folder}")
    return folder


def test_specimens_of_spam_are_marked_or_the_trick_in_them_is_seen() -> None:
    found = verdicts([the(_SPAM) / name for name in (*_MARKED, *_SEEN)])
    assert [name for name in _MARKED if found[name].action < Action.TAG] == []
    unseen = {
        name: symbol
        for name, symbol in _SEEN.items()
        if symbol not in {each.symbol for each in found[name.rpartition("/")[2]].contributions}
    }
    assert unseen == {}


def test_specimens_of_links_lead_where_they_lead() -> None:
    redirected = Message((the(_SPAM) / "redirectors" / "base.eml").read_bytes())
    assert {"spamassassin.apache.org", "community.apache.org"} <= set(redirected.url_hosts)
    assert any(Trait.REDIRECTOR in url.traits for url in redirected.links)
    phished = Message((_SPAM / "phishing_openphish.eml").read_bytes())
    feed = (_SPAM.parent / "phishing" / "openphish-feed.txt").read_text("utf-8").split()
    assert set(phished.urls) & set(feed)


def test_words_of_a_document_are_read_where_documents_are_opened() -> None:
    pytest.importorskip("pypdfium2", reason="gatepost[pdf] is not installed")
    message = Message((the(_SPAM) / "extracttext" / "gtube_pdf.eml").read_bytes())
    reader = EnclosedReader(Reading(pdf=True, timeout_s=60), time.monotonic)
    try:
        asyncio.run(reader.read(message))
    finally:
        reader.close()
    assert [finding.symbol for finding in looked_at(message)] == ["GTUBE"]


def looked_at(message: Message) -> tuple[Finding, ...]:
    return GtubeCheck().look(a_transaction(), message).findings


def test_specimens_of_innocent_oddities_are_not_marked() -> None:
    paths = [path for path in sorted(the(_NICE).rglob("*")) if path.is_file()]
    found = verdicts(paths)
    assert len(found) == 46
    marked = {name for name, verdict in found.items() if verdict.action >= Action.TAG}
    # A date without a zone, and an author without an address.
    assert marked == {"unicode2"}
