"""`gatepost policy diff`: which messages another policy would treat otherwise, and by what.

Every message is judged by the real checks under both policies. Nothing is asked of the network
unless a zone file answers, so that the same mail gives the same table again.
"""

from __future__ import annotations

import asyncio
import html
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milter.checks.catalogue import Means, build_checks
from milter.cli import EXIT_FINDING, EXIT_FINE, EXIT_INPUT
from milter.cli.explain import printable
from milter.cli.mail_files import read_mail
from milter.core.address import parse_mailbox
from milter.core.errors import ParseError
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver, read_zone
from milter.message.document import Message
from milter.pipeline.offline import Envelope, judge, with_crlf, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.compare import Change, Comparison, changed, compared
from policies.loader import FileSource, load_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.core.address import Mailbox
    from policies.verdict import Verdict

_IDENTITY: Final = Identity("mx.example.org", "mx.example.org")
_BUDGET_S: Final = 20.0
# Fields by which a mail server says for whom a message was; To is only what its author says.
_DELIVERED: Final = ("delivered-to", "x-original-to", "envelope-to")
_SHOWN: Final = 200


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--mail", required=True, metavar="PATH", help="Message, mbox, Maildir or folder.")
@click.option("--dns", "zone", metavar="ZONE.yaml", help="Names come from this file alone.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--html", "page", metavar="FILE", help="Write a page, too.")
def diff(
    *, old: str, new: str, mail: str, zone: str | None, as_json: bool, page: str | None
) -> int:
    """Judge the mail at PATH under the policies OLD and NEW and tell what changes.

    Recipients are those that Delivered-To, X-Original-To or Envelope-To name. Exit code: 0 nothing
    changes, 1 something does, 3 something could not be read, 78 a mistake in a policy.
    """
    pipelines = [_pipeline(path, zone) for path in (old, new)]
    unread: list[str] = []
    comparison = compared(_changes(pipelines, mail, unread))
    for told in unread:
        click.echo(told, err=True)
    click.echo(_json(comparison) if as_json else _table(comparison))
    if page:
        Path(page).write_text(_page(old, new, comparison), "utf-8")
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
        for mail in read_mail(path):
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


def _table(comparison: Comparison) -> str:
    lines = []
    for change in comparison.changes[:_SHOWN]:
        lines.append(f"{_way(change)}  {change.message}  by {', '.join(change.by) or 'thresholds'}")
    if len(comparison.changes) > _SHOWN:
        lines.append(f"... and {len(comparison.changes) - _SHOWN} more: --json has all")
    lines.append(f"{len(comparison.changes)} of {comparison.messages} messages change")
    lines += [f"  {count:>6}  {old} -> {new}" for old, new, count in comparison.by_way()]
    domains = [row for row in comparison.by_domain() if row[0]]
    if domains:
        lines.append("by recipient domain")
        lines += [f"  {count:>6}  {domain}: {old} -> {new}" for domain, old, new, count in domains]
    return "\n".join(lines)


def _way(change: Change) -> str:
    points = f"{change.old.score:g} -> {change.new.score:g}"
    return f"{change.old.action} -> {change.new.action} ({points})"


def _json(comparison: Comparison) -> str:
    return json.dumps(
        {
            "messages": comparison.messages,
            "changes": [
                {
                    "message": change.message,
                    "domain": change.domain,
                    "old": _side(change, new=False),
                    "new": _side(change, new=True),
                    "by": change.by,
                }
                for change in comparison.changes
            ],
            "by_way": comparison.by_way(),
            "by_domain": comparison.by_domain(),
        },
        indent=2,
    )


def _side(change: Change, *, new: bool) -> dict[str, object]:
    side = change.new if new else change.old
    return {"action": side.action, "score": side.score, "rule": side.rule}


def _page(old: str, new: str, comparison: Comparison) -> str:
    """Return a page of its own, without scripts or anything from elsewhere."""
    ways = _rows(comparison.by_way())
    domains = _rows(comparison.by_domain())
    changes = _rows(
        (change.message, change.domain, _way(change), ", ".join(change.by) or "thresholds")
        for change in comparison.changes
    )
    title = f"{html.escape(old)} &rarr; {html.escape(new)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:15px/1.5 sans-serif;margin:2em}table{border-collapse:collapse}"
        "td,th{border-bottom:1px solid #ccc;padding:.2em .8em;text-align:left}</style>"
        f"<h1>{title}</h1>"
        f"<p>{len(comparison.changes)} of {comparison.messages} messages change.</p>"
        f"<table><tr><th>from<th>to<th>messages</tr>{ways}</table>"
        f"<h2>By recipient domain</h2><table><tr><th>domain<th>from<th>to<th>messages</tr>{domains}"
        "</table><h2>Messages</h2><table><tr><th>message<th>recipients<th>change<th>by</tr>"
        f"{changes}</table></html>\n"
    )


def _rows(rows: Iterator[tuple[object, ...]] | Sequence[tuple[object, ...]]) -> str:
    return "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}' for cell in row)}</tr>" for row in rows
    )
