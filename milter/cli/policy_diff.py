"""`gatepost policy diff`: which messages another policy would treat otherwise, and by what.

Every message is judged by the real checks under both policies. Nothing is asked of the network
unless a zone file answers, so that the same mail gives the same table again.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milter.checks.catalogue import Means, build_checks
from milter.cli import EXIT_FINDING, EXIT_FINE, EXIT_INPUT
from milter.cli.comparison import as_json as comparison_json
from milter.cli.comparison import page as html_page
from milter.cli.comparison import table
from milter.cli.explain import printable
from milter.cli.mail_files import read_mail_told
from milter.cli.options import usual_configuration
from milter.cli.past_mail import HISTORY, opened
from milter.core.address import parse_mailbox
from milter.core.errors import ParseError
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver, read_zone
from milter.message.document import Message
from milter.message.lines import with_crlf
from milter.pipeline.offline import Envelope, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.compare import Change, changed, compared
from policies.loader import FileSource, load_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.core.address import Mailbox
    from policies.verdict import Verdict

_IDENTITY: Final = Identity("mx.example.org", "mx.example.org")
_BUDGET_S: Final = 20.0
# Fields by which a mail server says for whom a message was; To is only what its author says.
_DELIVERED: Final = ("delivered-to", "x-original-to", "envelope-to")


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--mail",
    required=True,
    metavar="PATH",
    help="Message, mbox, Maildir, folder, or the word `history`: what was recorded.",
)
@click.option("-c", "path", metavar="FILE", help="history: configuration that names the store.")
@click.option("--since", default="", metavar="TIME", help="history: not older, such as 7d.")
@click.option("--dns", "zone", metavar="ZONE.yaml", help="Names come from this file alone.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--html", "page", metavar="FILE", help="Write a page, too.")
def diff(  # noqa: PLR0913 - one argument an option
    *,
    old: str,
    new: str,
    mail: str,
    path: str | None,
    since: str,
    zone: str | None,
    as_json: bool,
    page: str | None,
) -> int:
    """Judge the mail at PATH under the policies OLD and NEW and tell what changes.

    Recipients are those that Delivered-To, X-Original-To or Envelope-To name. With `history` the
    recorded messages are judged again, by what was seen and answered then. Exit code: 0 nothing
    changes, 1 something does, 3 something could not be read, 78 a mistake in a policy.
    """
    unread: list[str] = []
    if mail == HISTORY:
        if zone:
            raise click.UsageError("--dns and --mail history exclude each other")
        with opened(path or usual_configuration()) as past:
            comparison = compared(past.changes([old, new], past.wanted(since), unread))
    else:
        if path or since:
            raise click.UsageError("-c and --since belong to --mail history")
        pipelines = [_pipeline(each, zone) for each in (old, new)]
        comparison = compared(_changes(pipelines, mail, unread))
    for told in unread:
        click.echo(told, err=True)
    click.echo(comparison_json(comparison) if as_json else table(comparison))
    if page:
        Path(page).write_text(html_page(old, new, comparison), "utf-8")
    if unread:
        return EXIT_INPUT
    return EXIT_FINDING if comparison.changes else EXIT_FINE


def _pipeline(path: str, zone: str | None) -> Pipeline:
    source = FileSource()
    policies = load_policies(source, path)
    checks = build_checks(policies.plan, Means(_IDENTITY.hostname, time.time))
    return Pipeline(
        checks=checks if zone else without_network(checks),
        policies=policies,
        resolver=read_zone(source, zone) if zone else FakeResolver({}),
        identity=_IDENTITY,
        budget_s=_BUDGET_S,
    )


def _changes(
    pipelines: Sequence[Pipeline], path: str, unread: list[str]
) -> Iterator[Change | None]:
    with asyncio.Runner() as runner:
        for mail in read_mail_told(path):
            if mail.error:
                unread.append(f"{printable(mail.name)}: {mail.error}")
                continue
            message = with_crlf(mail.data)
            recipients = _recipients(message)
            envelope = Envelope(recipients=recipients)
            old, new = (runner.run(_verdict(each, message, envelope)) for each in pipelines)
            domains = sorted({recipient.domain for recipient in recipients})
            yield changed(printable(mail.name), ", ".join(domains), old, new)


async def _verdict(pipeline: Pipeline, message: bytes, envelope: Envelope) -> Verdict:
    judged = await judge(pipeline, message, envelope, TxnId("DIFF"), SessionId("DIFF"))
    return judged.outcome.verdict


def _recipients(message: bytes) -> tuple[Mailbox, ...]:
    document = Message(message)
    found: list[Mailbox] = []
    for name in _DELIVERED:
        for value in document.values(name):
            try:
                found.append(parse_mailbox(value.decode("ascii", "replace").strip().strip("<>")))
            except (ParseError, UnicodeError):
                continue
        if found:
            break
    return tuple(dict.fromkeys(found))
