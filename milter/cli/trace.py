"""`gatepost trace`: where is my mail?"""

from __future__ import annotations

import json
import time

import click

from milter.cli import EXIT_FINDING, EXIT_FINE
from milter.cli.explain import printable
from milter.cli.options import configuration_option, limit_type
from milter.cli.past_mail import NONE, meant_by, opened, wanted_by
from reputation.history.told import sentence, summary


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@click.option("--since", default="", metavar="TIME", help="Not older: 90m, 24h, 7d, 2027-01-31.")
@click.option("--until", default="", metavar="TIME", help="Not younger, written likewise.")
@click.option("--limit", default=10, type=limit_type(), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message and line.")
@configuration_option("Configuration that names the store")
def trace(
    *, words: tuple[str, ...], since: str, until: str, limit: int, as_json: bool, path: str | None
) -> int:
    """Say what happened to messages and why, a sentence each, the youngest first.

    WORDS name them: the id of a reply or header of ours, a Message-ID, a queue id of the mail
    server before or behind us, sender, recipient, a domain, the client's address. Several words
    must all fit. Exit code: 0 some were found, 1 none was.
    """
    wanted = wanted_by({"since": since, "until": until}, time.time())
    with opened(path) as past:
        found = meant_by(past, words, wanted, limit + 1)
    for record in found[:limit]:
        click.echo(json.dumps(summary(record)) if as_json else printable(sentence(record)))
    if len(found) > limit:
        click.echo(f"older ones fit, too: --limit {10 * limit} shows more of them", err=True)
    if not found:
        click.echo(NONE, err=as_json)
    return EXIT_FINE if found else EXIT_FINDING
