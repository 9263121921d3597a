"""`gatepost evaluate`: how well the classifier would do on labelled mail, told before it counts."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from milter.checks.classifier_fields import classifier_fields
from milter.cli import EXIT_FINE, UnreadableInput
from milter.cli.progress import progress_bar
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.features import extract
from reputation.classifier.measures import Measures, learning_curve, measure
from reputation.classifier.trial import offline, online, trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reputation.classifier.features import Features

_LABELS: Final = {"ham": False, "spam": True}
_COLUMNS: Final = (
    *("ham", "spam", "1-ROCA %", "hm %", "sm %", "lam %"),
    *("caught at 0.1 %", "caught at 0", "calibration error"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an index.

    Attributes:
        spam: Its label.
        path: The message.
        place: File and line, for errors.
    """

    spam: bool
    path: Path
    place: str


@click.command()
@click.argument("indexes", nargs=-1, required=True, metavar="INDEX.tsv...")
@click.option("--online", "is_online", is_flag=True, help="Learn each message after its verdict.")
@click.option("--delay", default=0, type=click.IntRange(min=0), metavar="N",
              help="With --online: labels come N messages late.")  # fmt: skip
@click.option("--train", "training", multiple=True, metavar="INDEX.tsv",
              help="Learned before; with it, INDEX is judged and not learned.")  # fmt: skip
@click.option("--shuffle", type=int, metavar="SEED", help="Another order, the same for each seed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for all.")
@click.option("--curve", metavar="FILE.png", help="Draw 1-ROCA % while it learns.")
def evaluate(
    *,
    indexes: tuple[str, ...],
    is_online: bool,
    delay: int,
    training: tuple[str, ...],
    shuffle: int | None,
    as_json: bool,
    curve: str | None,
) -> int:
    """Judge the labelled messages of each INDEX, and measure the ranking as TREC does.

    An INDEX has the columns label (ham or spam) and file, in order of delivery, parted by tabs;
    files are looked for beside it. What the daemon has learned is neither used nor changed.
    """
    if is_online == bool(training):
        raise click.UsageError("say either --online, or what to --train with")
    mail = {name: _shuffled(_rows(name), shuffle) for name in indexes}
    lessons = [row for name in training for row in _shuffled(_rows(name), shuffle)]
    runs: dict[str, tuple[list[bool], list[float]]] = {}
    with progress_bar() as progress:
        task = progress.add_task("messages", total=None)
        state = trained(_read(lessons, lambda: progress.advance(task))) if training else None
        for name, rows in mail.items():
            messages = _read(rows, lambda: progress.advance(task))
            judged = offline(state, messages) if state else online(messages, delay)
            runs[name] = [row.spam for row in rows], list(judged)
    measured = {name: measure(*run) for name, run in runs.items()}
    click.echo(_json(measured, runs) if as_json else _table(measured))
    if curve:
        _draw(curve, runs)
    return EXIT_FINE


def _rows(index: str) -> list[Row]:
    """Return the lines of an index; a first line that names its columns is none."""
    try:
        lines = Path(index).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise UnreadableInput(f"{index}: cannot be read: {err}") from err
    rows = []
    for number, line in enumerate(lines, 1):
        label, _, rest = line.partition("\t")
        file = rest.partition("\t")[0]
        if not line or (number == 1 and label == "label"):
            continue
        if label not in _LABELS or not file:
            raise UnreadableInput(f"{index}:{number}: `ham` or `spam`, a tab and a file are needed")
        rows.append(Row(_LABELS[label], Path(index).parent / file, f"{index}:{number}"))
    return rows


def _shuffled(rows: list[Row], seed: int | None) -> list[Row]:
    if seed is not None:
        random.Random(seed).shuffle(rows)  # noqa: S311 - an order, no secret
    return rows


def _read(rows: list[Row], done: Callable[[], object]) -> Iterator[tuple[bool, Features]]:
    for row in rows:
        try:
            data = row.path.read_bytes()
        except OSError as err:
            raise UnreadableInput(f"{row.place}: {row.path}: {err.strerror}") from err
        yield row.spam, extract(*classifier_fields(Message(with_crlf(data))))
        done()


def _json(
    measured: dict[str, Measures | None], runs: dict[str, tuple[list[bool], list[float]]]
) -> str:
    report = {
        name: None if one is None else {**asdict(one), "curve": learning_curve(*runs[name])}
        for name, one in measured.items()
    }
    return json.dumps(report, indent=2)


def _table(measured: dict[str, Measures | None]) -> str:
    table = Table("index", *_COLUMNS)
    for name, one in measured.items():
        cells = (
            ["needs both ham and spam"]
            if one is None
            else [_shown(v) for v in asdict(one).values()]
        )
        table.add_row(name, *cells)
    console = Console(width=200, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().rstrip()


def _shown(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _draw(path: str, runs: dict[str, tuple[list[bool], list[float]]]) -> None:
    try:
        # An extra: few machines that filter mail also draw.

        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as err:
        raise UnreadableInput("--curve: install gatepost[plot] for it") from err
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, run in runs.items():
        axes.plot(*zip(*learning_curve(*run), strict=True), label=name)
    axes.set(xlabel="messages", ylabel="1-ROCA %", yscale="log", title="Ranking while it learns")
    axes.legend()
    try:
        figure.savefig(path, format="png")
    except OSError as err:
        raise UnreadableInput(f"{path}: {err.strerror}") from err
