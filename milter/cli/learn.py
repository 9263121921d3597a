"""`gatepost learn`: teach the classifier what is wanted here and what is not."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import click

from milter.checks.classifier_fields import lesson_of
from milter.cli import EXIT_FINE, EXIT_INPUT, Misconfigured
from milter.cli.explain import printable
from milter.cli.mail_files import read_mail
from milter.cli.progress import progress_bar
from milter.core.address import domain_key
from milter.memory.learning import classifier_folder
from milter.memory.opening import home_of
from milter.message.document import Message
from milter.message.lines import with_crlf
from milter.settings.read import read_settings
from policies.loader import FileSource
from reputation.classifier.learner import Learner
from reputation.classifier.lessons import Heard, report
from reputation.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from milter.memory.opening import Home
    from reputation.store import Store

_NO_STORE: Final = (
    "nothing is remembered: set `store:` in the configuration, for instance "
    "`store: sqlite:state/gatepost.db`"
)
_NO_FOLDER: Final = "with a server as store, `classifier.folder` must be set"


@click.command()
@click.argument("label", type=click.Choice(["ham", "spam"]))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("-c", "config", metavar="FILE", help="Configuration of the daemon.")
@click.option("--domain", default="", metavar="NAME",
              help="The domain whose recipients say so: its own model learns it too.")  # fmt: skip
def learn(label: str, paths: tuple[str, ...], config: str | None, domain: str) -> int:
    """Learn the messages at PATH: files, mailboxes, Maildirs, folders; - is the standard input.

    A message that is known counts once; with the other label it changes its mind. A daemon that
    runs learns what is handed over here within a second; where none runs, it is learned here.
    """
    home, folder = _places(config)
    heard: Counter[str] = Counter()
    try:
        store = home.open_mended()
    except StoreError as err:
        click.echo(f"{home.place}: {err.what}", err=True)
        return EXIT_INPUT
    try:
        _teach(store, paths, heard, spam=label == "spam", domain=domain_key(domain))
        waiting = _learn_here(folder, store)
    except StoreError as err:
        click.echo(f"{home.place}: {err.what}", err=True)
        return EXIT_INPUT
    finally:
        store.close()
        _tell(label, heard)
    if waiting:
        click.echo("the daemon learns them now")
    return EXIT_INPUT if heard["unread"] else EXIT_FINE


def _places(config: str | None) -> tuple[Home, Path]:
    source = FileSource()
    settings = read_settings(source, config)
    password = settings.memory.password_file
    home = home_of(settings, source.read(password) if password else b"")
    if home is None:
        raise Misconfigured(_NO_STORE)
    folder = classifier_folder(settings.classifier.folder, home)
    if folder is None:
        raise Misconfigured(_NO_FOLDER)
    return home, folder


def _teach(
    store: Store, paths: tuple[str, ...], heard: Counter[str], *, spam: bool, domain: str
) -> None:
    """Hand over every message; how each was heard is counted as it happens."""
    with progress_bar() as progress:
        task = progress.add_task("messages", total=None)
        for mail in (mail for path in paths for mail in read_mail(path)):
            if mail.error:
                heard["unread"] += 1
                click.echo(f"{printable(mail.name)}: {mail.error}", err=True)
                continue
            lesson = lesson_of(Message(with_crlf(mail.data)), spam=spam, domain=domain)
            heard[report(store, lesson, now=time.time())] += 1
            progress.advance(task)


def _learn_here(folder: Path, store: Store) -> bool:
    """Learn all that waits; return whether a daemon does so instead."""
    try:
        learner = Learner(folder)
    except StoreError as err:
        if err.reason != "locked":
            raise
        return True
    try:
        while learner.catch_up(store).behind:
            pass
    finally:
        learner.close()
    return False


def _tell(label: str, heard: Counter[str]) -> None:
    parts = [f"{heard[Heard.LEARNED]} learned as {label}"]
    parts += [f"{heard[Heard.CHANGED]} changed to {label}"] if heard[Heard.CHANGED] else []
    parts += [f"{heard[Heard.KNOWN]} known before"] if heard[Heard.KNOWN] else []
    click.echo(", ".join(parts))
