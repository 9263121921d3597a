"""How well the classifier ranks the public collection of TREC 2007 (trec07p), in order of delivery.

75,419 messages to one server, 8 April to 6 July 2007: labels known at once, and labels known of the
first 10,000 alone, which is the delayed feedback of that year. Nothing is shuffled. The collection
is looked for among the corpora: unpacked (`trec07p/full/index`) or as `trec07p.tgz`, `.tar.gz`,
`.tar.xz`; where it is missing, so are its rows.

`python -m bench.ranking` has its rows in its table; `python -m bench.spam_track FOLDER` prints them
for a collection of the same shape that lies elsewhere.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.tables import OVER, limit_words, print_table
from milter.checks.classifier_fields import classifier_fields
from milter.cli.mail_index import Row, read_index
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.features import extract
from reputation.classifier.measures import Measures, measure
from reputation.classifier.trial import online

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reputation.classifier.features import Features

NAME: Final = "trec07p"
HEAD: Final = ("corpus", "filter", "1-ROCA %", "caught at 0.1 %", "lam %", "limit")
# The best 1-ROCA % that was published for it, with labels known at once.
BEST: Final = 0.0055
_LABELS_IN_DELAY: Final = 10_000
_ARCHIVES: Final = (".tgz", ".tar.gz", ".tar.xz")


@contextmanager
def collection(corpora: Path) -> Iterator[Path | None]:
    """Give the index of the collection; None where it is not among `corpora`."""
    index = Path(NAME, "full", "index")
    if (corpora / index).exists():
        yield corpora / index
        return
    archive = next((a for e in _ARCHIVES if (a := corpora / f"{NAME}{e}").exists()), None)
    if archive is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="gatepost-trec-") as folder:
        with tarfile.open(archive) as files:
            # Python 3.11.2, as Debian 12 has it, knows no filter.
            files.extraction_filter = getattr(tarfile, "data_filter", None)
            files.extractall(folder)  # noqa: S202 - an archive of the reader's own, and see above
        yield Path(folder) / index


def rows(index: Path, labels_in_delay: int = _LABELS_IN_DELAY) -> list[tuple[str, ...]]:
    """Return a row for each way in which labels become known."""
    mail = read_index(index)
    at_once, late = (ranked(mail, learned) for learned in (None, labels_in_delay))
    limit = limit_words(at_once.roca, BEST)
    return [
        (NAME, "gatepost, labels at once", *shown(at_once), limit),
        (NAME, f"gatepost, {labels_in_delay:,} labels", *shown(late), "-"),
    ]


def ranked(mail: Sequence[Row], learned: int | None) -> Measures:
    """Return how well `mail` is ranked where so many labels are told; None: all of them."""
    found = measure([row.spam for row in mail], list(online(features(mail), learned=learned)))
    assert found is not None, "the collection needs ham and spam"
    return found


def features(mail: Sequence[Row]) -> Iterator[tuple[bool, Features]]:
    """Yield what the classifier sees of each message; one is in memory at a time."""
    for row in mail:
        yield row.spam, extract(*classifier_fields(Message(with_crlf(row.read()))))


def shown(found: Measures) -> tuple[str, str, str]:
    """Return the figures of one run."""
    return f"{found.roca:.4f}", f"{found.caught_at_tenth:.2f}", f"{found.lam:.3f}"


def main() -> int:
    """Print the rows of the collection in the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="has full/index")
    told = rows(parser.parse_args().folder / "full" / "index")
    print_table(Console(width=120), HEAD, told)
    return int(any(OVER in row[-1] for row in told))


if __name__ == "__main__":
    sys.exit(main())
