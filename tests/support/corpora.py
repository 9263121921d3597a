"""Messages of the corpora, which are no part of the project."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Final

import pytest

from milter.message.lines import with_crlf
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPORA: Final = (
    *("spamassassin", "csdmc2010", "lists_modern", "phishing_pot", "nazario_2005", "ccert_zh"),
)


def corpus(name: str, every: int = 1, label: str = "") -> Iterator[bytes]:
    """Yield each `every`th message of a corpus with CRLF; skips the test where it is missing.

    Args:
        name: Of the corpus.
        every: Which of its messages.
        label: ham or spam; empty: both.
    """
    archive = SHARED / "corpora" / f"{name}.tar.xz"
    if not archive.exists():
        pytest.skip(f"the corpora are not there: {archive}")
    with tarfile.open(archive) as files:
        seen = 0
        for member in files:
            wanted = member.name.endswith(".eml") and (not label or f"/{label}/" in member.name)
            content = files.extractfile(member) if wanted else None
            if content is not None:
                seen += 1
                if seen % every == 0:
                    yield with_crlf(content.read())
