"""How the classifier ranks the mail of the corpora, learning in order (TREC Spam Track, 2007)."""

from __future__ import annotations

import random
import tarfile
from typing import TYPE_CHECKING

import pytest

from milter.checks.classifier_fields import classifier_fields
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.features import extract
from reputation.classifier.measures import Measures, measure
from reputation.classifier.trial import online

if TYPE_CHECKING:
    from pathlib import Path

    from reputation.classifier.features import Features

pytestmark = [pytest.mark.conformance, pytest.mark.slow]

Labelled = list[tuple[bool, "Features"]]


def read(shared: Path, name: str, seed: int) -> Labelled:
    """Return a corpus in the order of its index, shuffled."""
    archive = shared / "corpora" / f"{name}.tar.xz"
    if not archive.exists():
        pytest.skip(f"the corpora are not there: {archive}")
    rows: list[tuple[bool, str]] = []
    mail: dict[str, Features] = {}
    with tarfile.open(archive) as files:
        for member in files:
            content = files.extractfile(member)
            if content is None:
                continue
            data = content.read()
            if member.name.endswith(".eml"):
                fields = classifier_fields(Message(with_crlf(data)))
                mail[member.name] = extract(*fields)
            elif member.name.endswith("index.tsv"):
                lines = [line.split("\t") for line in data.decode().splitlines()[1:]]
                rows = [(line[0] == "spam", f"{name}/{line[1]}") for line in lines]
    random.Random(seed).shuffle(rows)  # noqa: S311 - an order, no secret
    return [(spam, mail[file]) for spam, file in rows]


def ranked(labelled: Labelled, flipped: float = 0.0) -> Measures:
    """Return how well labels are foreseen while a share of the lessons is wrong."""
    chosen = random.Random(3)  # noqa: S311 - an order, no secret
    taught = [(spam != (chosen.random() < flipped), features) for spam, features in labelled]
    measured = measure([spam for spam, _ in labelled], list(online(taught)))
    assert measured is not None
    return measured


@pytest.fixture(scope="module")
def spamassassin(shared_data: Path) -> Labelled:
    return read(shared_data, "spamassassin", seed=1)


def test_spamassassin_is_ranked_within_the_bound(spamassassin: Labelled) -> None:
    measured = ranked(spamassassin)

    assert measured.roca <= 0.07
    assert measured.caught_at_tenth >= 90
    assert measured.calibration_error <= 0.02


def test_csdmc_is_ranked_within_the_bound(shared_data: Path) -> None:
    measured = ranked(read(shared_data, "csdmc2010", seed=1))

    assert measured.roca <= 0.08
    assert measured.caught_at_tenth >= 90


@pytest.mark.parametrize(("flipped", "bound"), [(0.01, 0.1), (0.05, 0.2), (0.1, 0.7)])
def test_wrong_labels_cost_little(spamassassin: Labelled, flipped: float, bound: float) -> None:
    assert ranked(spamassassin, flipped).roca <= bound
