"""`gatepost lists`: how the daemon's DNS lists are, and which lists answer us at all."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.table import Column, Table

from milter.cli.lists_probe import Row, nobody_answers, probe_all, rows_of
from milter.cli.lists_status import NotAnsweringError, ask_daemon, shown_state
from milter.cli.options import configuration_option
from milter.dns.nameservers import nameservers
from milter.settings.read import read_settings
from policies.loader import FileSource, load_list_catalogue, load_policies
from policies.mistakes import near

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.http.lists import ListStatus

_FILE = configuration_option("Configuration of the daemon")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
_COLOURS: Final = {"up": "green", "trial": "yellow", "new": "cyan"}
# A table in a pipe or a log is as wide as its words need; a terminal says its own width.
_PIPE_WIDTH: Final = 200
_EXIT_FINDING: Final = 1
_EXIT_INPUT: Final = 3


@click.group(help="Show how DNS lists are.")
def lists() -> None:
    """Hold the commands below it."""


@lists.command()
@_FILE
@_JSON
def status(path: str | None, *, as_json: bool) -> int:
    """Show the DNS lists as the running daemon sees them.

    Exit code: 0 all are asked and believed, 1 one is not, 3 no daemon answers.
    """
    settings = read_settings(FileSource(), path)
    try:
        found = asyncio.run(ask_daemon(settings))
    except NotAnsweringError as err:
        click.echo(str(err), err=True)
        return _EXIT_INPUT
    if as_json:
        click.echo(json.dumps([shown_state(one) for one in found], indent=2))
    elif found:
        _console().print(status_table(found))
    else:
        click.echo("The policies ask no DNS list.")
    return 0 if all(one.state == "up" for one in found) else _EXIT_FINDING


@lists.command()
@_FILE
@_JSON
@click.argument("names", nargs=-1, metavar="[NAME]...")
def probe(path: str | None, names: Sequence[str], *, as_json: bool) -> int:
    """Ask the test points of the policies' lists and of the catalogue, through our name servers.

    NAME is an entry of the catalogue or a zone; absent: all. Exit code: 0 every list of the
    policies answers well, 1 one does not.
    """
    source = FileSource()
    settings = read_settings(source, path)
    policies = load_policies(source, settings.policies)
    catalogue = load_list_catalogue()
    rows = rows_of(policies.plan.dns_lists, catalogue, names)
    if not rows:
        known = [*catalogue.entries, *catalogue.zones]
        unknown = ", ".join(f"{name}{near(name, known)}" for name in names)
        raise click.UsageError(f"neither the policies nor the catalogue have {unknown}")
    asyncio.run(probe_all(rows, source, settings.dns))
    if as_json:
        click.echo(json.dumps([row.shown() for row in rows], indent=2))
    else:
        _console().print(probe_table(rows))
    if nobody_answers(rows) and not settings.dns.zone_file:
        servers = ", ".join(host for host, _ in nameservers(settings.dns.nameservers))
        click.echo(f"No list could be asked: the name servers {servers} do not answer.", err=True)
    return _EXIT_FINDING if any(row.used and row.trouble for row in rows) else 0


def status_table(found: Sequence[ListStatus]) -> Table:
    """Return the table of the daemon's lists."""
    table = Table(_whole("list"), "effect", "state", "workers", "asked today", "why")
    for one in found:
        shown = shown_state(one)
        colour = _COLOURS.get(one.state, "red")
        table.add_row(
            one.zone,
            one.effect,
            f"[{colour}]{shown['state']}[/]",
            f"{one.workers_up} of {one.workers}",
            f"{one.asked:,}" + (f" of {one.a_day:,}" if one.a_day else ""),
            str(shown["why"]),
        )
    return table


def probe_table(rows: Sequence[Row]) -> Table:
    """Return the table of what the lists answered."""
    table = Table("list", _whole("zone"), "used", "answer", "ms", "what to do")
    for row in rows:
        colour = "dim" if not row.asked else "red" if row.trouble else "green"
        table.add_row(
            row.name,
            row.zone,
            "yes" if row.used else "",
            f"[{colour}]{row.answer}[/]",
            f"{row.seconds * 1000:.0f}" if row.asked else "",
            row.advice,
        )
    return table


def _whole(header: str) -> Column:
    """Return a column of names, which are there to be copied."""
    return Column(header, overflow="fold")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
