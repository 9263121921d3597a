"""`gatepost evaluate`: how well the classifier would do on labelled mail, told before it counts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Table

from milter.checks.classifier_fields import classifier_fields
from milter.cli import EXIT_FINE, UnreadableInput
from milter.cli.mail_index import read_index, shuffled
from milter.cli.progress import progress_bar
from milter.message.document import Message
from milter.message.lines import with_crlf
from reputation.classifier.features import extract
from reputation.classifier.measures import Measures, learning_curve, measure
from reputation.classifier.trial import offline, online, trained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure

    from milter.cli.mail_index import Row
    from reputation.classifier.features import Features

_COLUMNS: Final = (
    *("ham", "spam", "1-ROCA %", "hm %", "sm %", "lam %"),
    *("caught at 0.1 %", "caught at 0", "calibration error"),
)


@click.command()
@click.argument("indexes", nargs=-1, required=True, metavar="INDEX.tsv...")
@click.option("--online", "is_online", is_flag=True, help="Learn each message after its verdict.")
@click.option("--delay", default=0, type=click.IntRange(min=0), metavar="N",
              help="With --online: labels come N messages late.")  # fmt: skip
@click.option("--learn-first", "learned", type=click.IntRange(min=0), metavar="N",
              help="With --online: labels are told of the first N messages only.")  # fmt: skip
@click.option("--train", "training", multiple=True, metavar="INDEX.tsv",
              help="Learned before; with it, INDEX is judged and not learned.")  # fmt: skip
@click.option("--shuffle", type=int, metavar="SEED", help="Another order, the same for each seed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for all.")
@click.option("--curve", metavar="FILE.png", help="Draw 1-ROCA % while it learns.")
def evaluate(  # noqa: PLR0913 - one argument an option
    *,
    indexes: tuple[str, ...],
    is_online: bool,
    delay: int,
    learned: int | None,
    training: tuple[str, ...],
    shuffle: int | None,
    as_json: bool,
    curve: str | None,
) -> int:
    """Judge the labelled messages of each INDEX, and measure the ranking as TREC does.

    An INDEX has a label (ham or spam), a tab or a space, and a file in each line, in order of
    delivery, as those of the TREC Spam Track have; files are looked for beside it. What the daemon
    has learned is neither used nor changed.
    """
    if is_online == bool(training):
        raise click.UsageError("say either --online, or what to --train with")
    if training and (delay or learned is not None):
        raise click.UsageError("--delay and --learn-first need --online")
    figure = _figure() if curve else None
    mail = {name: shuffled(read_index(name), shuffle) for name in indexes}
    lessons = [row for name in training for row in shuffled(read_index(name), shuffle)]
    runs: dict[str, tuple[list[bool], list[float]]] = {}
    with progress_bar() as progress:
        task = progress.add_task("messages", total=None)
        state = trained(_read(lessons, lambda: progress.advance(task))) if training else None
        for name, rows in mail.items():
            messages = _read(rows, lambda: progress.advance(task))
            judged = offline(state, messages) if state else online(messages, delay, learned)
            runs[name] = [row.spam for row in rows], list(judged)
    measured = {name: measure(*run) for name, run in runs.items()}
    click.echo(_json(measured, runs) if as_json else _table(measured))
    if figure and curve:
        _draw(figure, curve, runs)
    return EXIT_FINE


def _read(rows: list[Row], done: Callable[[], object]) -> Iterator[tuple[bool, Features]]:
    for row in rows:
        yield row.spam, extract(*classifier_fields(Message(with_crlf(row.read()))))
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


def _figure() -> Figure:
    """Return what is drawn on; asked for before the work, which may take long."""
    try:
        # An extra: few machines that filter mail also draw.

        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as err:
        raise UnreadableInput("--curve: install gatepost[plot] for it") from err
    return Figure(figsize=(8, 5), layout="constrained")


def _draw(figure: Figure, path: str, runs: dict[str, tuple[list[bool], list[float]]]) -> None:
    axes = figure.subplots()
    for name, run in runs.items():
        axes.plot(*zip(*learning_curve(*run), strict=True), label=name)
    axes.set(xlabel="messages", ylabel="1-ROCA %", yscale="log", title="Ranking while it learns")
    axes.legend()
    try:
        figure.savefig(path, format="png")
    except OSError as err:
        raise UnreadableInput(f"{path}: {err.strerror}") from err
