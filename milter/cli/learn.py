"""`gatepost learn`: teach the classifier what is wanted here and what is not."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from milter.checks.classifier_fields import lesson_of
from milter.cli import EXIT_FINE, EXIT_INPUT, EXIT_INTERRUPTED, Misconfigured
from milter.cli.explain import printable
from milter.cli.mail_files import read_mail
from milter.cli.options import configuration_option, domain_named
from milter.cli.progress import progress_bar
from milter.cli.stores import no_store
from milter.memory.learning import classifier_folder
from milter.memory.opening import home_of
from milter.message.document import Message
from milter.message.lines import with_crlf
from milter.settings.read import read_settings
from policies.loader import FileSource
from reputation.classifier.learner import Learner
from reputation.classifier.lessons import Heard, report
from reputation.classifier.model import ENOUGH_LESSONS
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milter.memory.opening import Home
    from reputation.store import Store

_NO_FOLDER: Final = "with a server as store, `classifier.folder` must be set"
_NO_MAIL: Final = "is no message: no field of a header is in it"
_INTERRUPTED: Final = "interrupted: the same command goes on, for what is known counts once"
# One of these stands in whatever went through a mail server; a program or a picture has none.
_FIELDS: Final = (
    *("from", "to", "date", "subject", "received", "message-id", "return-path", "sender"),
    *("reply-to", "mime-version", "content-type"),
)


@dataclass(slots=True)
class _Heard:
    """What became of the messages.

    Attributes:
        counts: How many were heard in which way.
        unread: How many could not be read.
        interrupted: Whether somebody stopped it before the end.
    """

    counts: Counter[Heard] = field(default_factory=Counter)
    unread: int = 0
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        if self.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_INPUT if self.unread else EXIT_FINE


@click.command()
@click.argument("label", type=click.Choice(["ham", "spam"]))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@configuration_option("Configuration of the daemon", "config")
@click.option("--domain", metavar="NAME", callback=domain_named,
              help="The domain whose recipients say so: its own model learns it too.")  # fmt: skip
def learn(label: str, paths: tuple[str, ...], config: str | None, domain: str) -> int:
    """Learn the messages at PATH: files, mailboxes, Maildirs, folders; - is the standard input.

    A message that is known counts once; with the other label it changes its mind. A daemon that
    runs learns what is handed over here within a second; where none runs, it is learned here.
    """
    home, folder = _places(config)
    heard = _Heard()
    try:
        store = home.open_mended()
    except StoreError as err:
        click.echo(f"{home.place}: {err.what}", err=True)
        return EXIT_INPUT
    known = None
    try:
        # A store that was put back from an old copy has fewer lessons than are known: with those
        # that come now it would seem to have as many.
        _learn_here(folder, store)
        _teach(store, paths, heard, spam=label == "spam", domain=domain)
        known = _learn_here(folder, store)
    except StoreError as err:
        click.echo(f"{home.place}: {err.what}", err=True)
        return EXIT_INPUT
    finally:
        store.close()
        _tell(label, heard.counts)
    click.echo("the daemon learns them now" if known is None else _known(*known))
    if heard.interrupted:
        click.echo(_INTERRUPTED, err=True)
    return heard.exit_code


def _places(config: str | None) -> tuple[Home, Path]:
    source = FileSource()
    settings = read_settings(source, config)
    password = settings.memory.password_file
    home = home_of(settings, source.read(password) if password else b"")
    if home is None:
        raise no_store(config)
    folder = classifier_folder(settings.classifier.folder, home)
    if folder is None:
        raise Misconfigured(_NO_FOLDER)
    return home, folder


def _teach(store: Store, paths: tuple[str, ...], heard: _Heard, *, spam: bool, domain: str) -> None:
    """Hand over every message; how each was heard is counted as it happens."""
    with progress_bar() as progress:
        task = progress.add_task("messages", total=None)
        try:
            for path in paths:
                for mail in _messages(path, heard):
                    lesson = lesson_of(mail, spam=spam, domain=domain)
                    with _uninterrupted():
                        heard.counts[report(store, lesson, now=time.time())] += 1
                    progress.advance(task)
        except KeyboardInterrupt:
            heard.interrupted = True


def _messages(path: str, heard: _Heard) -> Iterator[Message]:
    """Yield the messages at `path`; say what else is there, and where there is nothing."""
    empty = True
    for mail in read_mail(path):
        message = Message(with_crlf(mail.data))
        if not mail.error and not mail.data.strip():
            continue
        empty = False
        error = mail.error or ("" if any(map(message.count, _FIELDS)) else _NO_MAIL)
        if error:
            heard.unread += 1
            click.echo(f"{printable(mail.name)}: {error}", err=True)
            continue
        yield message
    if empty:
        click.echo(f"{printable(path)}: holds no message", err=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold an interruption back to the end: what is learned is also counted, and told."""
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def _learn_here(folder: Path, store: Store) -> tuple[int, int] | None:
    """Learn all that waits; return how much ham and spam is known then.

    Nothing where a daemon learns instead.
    """
    try:
        learner = Learner(folder)
    except StoreError as err:
        if err.reason != "locked":
            raise
        return None
    try:
        while learner.catch_up(store).behind:
            pass
        return learner.known
    finally:
        learner.close()


def _known(ham: int, spam: int) -> str:
    said = f"known now: {ham:,} ham, {spam:,} spam"
    few = min(ham, spam) < ENOUGH_LESSONS
    return f"{said}; no verdict before {ENOUGH_LESSONS} of each" if few else said


def _tell(label: str, heard: Counter[Heard]) -> None:
    parts = [f"{heard[Heard.LEARNED]} learned as {label}"]
    parts += [f"{heard[Heard.CHANGED]} changed to {label}"] if heard[Heard.CHANGED] else []
    parts += [f"{heard[Heard.KNOWN]} known before"] if heard[Heard.KNOWN] else []
    click.echo(", ".join(parts))
