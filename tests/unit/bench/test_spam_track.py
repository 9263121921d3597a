"""The collection of TREC 2007 is measured as soon as it is there: here one of its shape is."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Literal

import pytest

from bench import ranking, spam_track
from bench.tables import OVER
from tests.support.spam_track import a_collection

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("packed", ["", "tgz", "tar.xz"], ids=lambda packed: packed or "folder")
def test_collection_is_measured_in_its_order_with_labels_at_once_and_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: str
) -> None:
    folder = tmp_path / "corpora" / "trec07p"
    a_collection(folder)
    if packed:
        mode: Literal["w:gz", "w:xz"] = "w:xz" if packed.endswith("xz") else "w:gz"
        with tarfile.open(folder.parent / f"trec07p.{packed}", mode) as archive:
            archive.add(folder, "trec07p")
        folder.rename(tmp_path / "elsewhere")
    monkeypatch.setattr(ranking, "SHARED", tmp_path)

    at_once, late = ranking.spam_track()

    assert at_once[:2] == ("trec07p", "gatepost, labels at once")
    assert late[:2] == ("trec07p", "gatepost, 10,000 labels")
    # Sixty messages, of which the first ones are guessed: far from what 75,000 may reach.
    assert 0.0055 < float(at_once[2]) < 10
    assert at_once[2:5] == late[2:5]
    assert at_once[-1] == f"0.0055 {OVER}"


def test_labels_that_nobody_tells_are_not_learned(tmp_path: Path) -> None:
    index = a_collection(tmp_path)

    _, late = spam_track.rows(index, labels_in_delay=0)

    assert float(late[2]) == 50


def test_collection_that_is_not_there_is_not_measured_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "SHARED", tmp_path)

    assert [row[-1] for row in ranking.spam_track()] == ["not there, not measured"]
