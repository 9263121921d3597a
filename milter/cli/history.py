"""`gatepost history`: what became of messages, why, and what other policies would have done."""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Final

import click

from milter.cli import EXIT_FINDING, EXIT_FINE, EXIT_INPUT, UnreadableInput
from milter.cli.comparison import as_json as comparison_json
from milter.cli.comparison import page as html_page
from milter.cli.comparison import table
from milter.cli.explain import printable
from milter.cli.options import configuration_option, limit_type
from milter.cli.past_mail import NONE, opened, search_options, unknown_names, wanted_by
from milter.cli.past_story import route, story, untaken
from milter.core.ids import read_id
from policies.compare import compared
from reputation.history.journal import Wanted
from reputation.history.told import moment, plain, summary

# Of one transaction: the message, and those who were refused before it came.
_MOST_OF_ONE: Final = 30
_FILE = configuration_option("Configuration that names the store")


@click.group(help="What became of messages, and why.")
def history() -> None:
    """Hold the commands below it."""


@history.command()
@search_options
@click.option("--limit", default=50, type=limit_type(), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message and line.")
@_FILE
def search(*, limit: int, as_json: bool, path: str | None, **options: str | None) -> int:
    """Print the messages for which all that is said holds, the youngest first.

    Exit code: 0 some were found, 1 none was.
    """
    wanted, found = wanted_by(options, time.time()), 0
    with opened(path) as past:
        for line in islice(past.journal.each(wanted), limit):
            found += 1
            record = line.record
            if as_json:
                click.echo(json.dumps(summary(record)))
                continue
            told = "  ".join(filter(None, (route(record), record.subject, untaken(record))))
            head = f"{moment(record.at)}  {record.txn_id}  {record.action:<10} {record.score:>6.2f}"
            click.echo(f"{head}  {printable(told)}")
        if not found:
            click.echo("\n".join([*unknown_names(past, wanted), NONE]), err=True)
    return EXIT_FINE if found else EXIT_FINDING


@history.command()
@click.argument("txn_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--message", is_flag=True, help="Print the message itself, where it was kept.")
@_FILE
def show(*, txn_id: str, as_json: bool, message: bool, path: str | None) -> None:
    """Print all that the history has of one message.

    Where some of its recipients were refused before its data, their records follow.
    """
    with opened(path) as past:
        found = past.journal.search(Wanted(txn_id=read_id(txn_id) or txn_id), _MOST_OF_ONE)
        if not found:
            raise UnreadableInput(f"the history has no message {printable(txn_id)} (any more)")
        record = found[0].record
        if message:
            kept = past.journal.message(record.txn_id)
            if kept is None:
                raise UnreadableInput(f"the message {record.txn_id} was not kept (any more)")
            sys.stdout.buffer.write(kept)
        elif as_json:
            click.echo(json.dumps(plain(record), indent=2))
        else:
            for line in found:
                click.echo("\n".join(map(printable, story(line.record))))


@history.command()
@click.option("--policy", metavar="FILE", help="Policy or preset; absent: the configuration's.")
@search_options
@click.option("--limit", type=limit_type(), help="No more messages than these.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--html", "page", metavar="FILE", help="Write a page, too.")
@_FILE
def replay(
    *,
    policy: str | None,
    limit: int | None,
    as_json: bool,
    page: str | None,
    path: str | None,
    **options: str | None,
) -> int:
    """Judge recorded messages again by another policy, and print which it would treat otherwise.

    What was seen and answered then is weighed anew; nothing is asked. Exit code: 0 nothing changes,
    1 something does, 3 of some it cannot be known, 78 a mistake in the policy.
    """
    wanted, unknown = wanted_by(options, time.time()), list[str]()
    with opened(path) as past:
        comparison = compared(islice(past.changes([policy], wanted, unknown), limit))
    for told in unknown:
        click.echo(told, err=True)
    click.echo(comparison_json(comparison) if as_json else table(comparison))
    if page:
        said = html_page("recorded", policy or "the configuration's policy", comparison)
        Path(page).write_text(said, "utf-8")
    if unknown:
        return EXIT_INPUT
    return EXIT_FINDING if comparison.changes else EXIT_FINE
