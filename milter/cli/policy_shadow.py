"""`gatepost policy shadow`: the messages that shadow policies would have treated otherwise.

They stand in the history, each with its record; nothing is judged again here.
"""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from milter.cli import EXIT_FINDING, EXIT_FINE, Misconfigured
from milter.cli.explain import printable
from milter.cli.options import configuration_option
from milter.cli.past_mail import opened
from milter.cli.past_story import causes, route
from policies.loader import FileSource, load_policies
from reputation.history.begun import Begun
from reputation.history.begun import since as begun_at
from reputation.history.told import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milter.cli.past_mail import PastMail
    from policies.shadow import Shadow
    from reputation.history.journal import Wanted
    from reputation.history.record import Record, Shadowed


@dataclass
class _Differences:
    """What a shadow policy would have done otherwise.

    Attributes:
        shadow: The policy; None: it is not beside the live one any more.
        since: Messages from then on are counted, seconds since the epoch.
        messages: How many of them it judged.
        ways: How many go from which action to which.
        shown: The youngest of those.
    """

    shadow: Shadow | None
    since: float
    messages: int = 0
    ways: Counter[tuple[str, str]] = field(default_factory=Counter)
    shown: list[tuple[Record, Shadowed]] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many it would have treated otherwise."""
        return self.ways.total()

    @property
    def share(self) -> float:
        """How many of all, from 0 to 1."""
        return self.changed / self.messages if self.messages else 0.0

    def judged(self, record: Record) -> bool:
        """Whether it was there when the message of `record` came; without data it judges none."""
        ended = self.shadow is not None and self.shadow.until < _day(record.at).isoformat()
        return not record.stage and record.at >= self.since and not ended

    def take(self, record: Record, name: str, limit: int) -> None:
        """Count a message; `limit` of those that differ are shown."""
        self.messages += 1
        for row in record.shadows:
            if row.shadow == name:
                self.ways[record.action, row.action] += 1
                if len(self.shown) < limit:
                    self.shown.append((record, row))


@click.command()
@click.argument("name", required=False)
@click.option("--since", default="24h", show_default=True, metavar="TIME", help="Not older.")
@click.option("--limit", default=50, type=click.IntRange(min=0), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@configuration_option("Configuration that names store and policies")
def shadow(*, name: str | None, since: str, limit: int, as_json: bool, path: str | None) -> int:
    """List what the shadow policies, or the one called NAME, would have done otherwise.

    For each: how long it runs, how many messages go from which action to which, and the youngest
    --limit of them. Exit code: 0 nothing differs, 1 something does.
    """
    now = time.time()
    with opened(path) as past:
        if not past.settings.history.days:
            raise Misconfigured("history.days is 0: no message is recorded, so none can be listed")
        wanted = past.wanted(since)
        every = _every(past, wanted.since, now)
        _read(past, every, wanted, limit)
    found = _chosen(every, name)
    if as_json:
        told = [_plain(name, each, _day(now)) for name, each in found.items()]
        click.echo(json.dumps({"shadows": told}, indent=2))
    else:
        click.echo("\n".join(map(printable, _text(found, _day(now), path))))
    return EXIT_FINDING if any(each.changed for each in found.values()) else EXIT_FINE


def _every(past: PastMail, since: float, now: float) -> dict[str, _Differences]:
    """Return the shadows of the configuration, nothing counted yet."""
    every = {}
    for each in load_policies(FileSource(), past.settings.policies).plan.shadows:
        begun = begun_at(past.store, Begun(each.name, each.policies.version))
        every[each.name] = _Differences(each, max(since, now if begun is None else begun))
    return every


def _read(past: PastMail, every: dict[str, _Differences], wanted: Wanted, limit: int) -> None:
    """Count all messages; shadows that are not there any more are added as they are found."""
    gone: dict[str, _Differences] = {}
    for line in past.journal.each(wanted):
        record = line.record
        for name in {row.shadow for row in record.shadows} - every.keys() - gone.keys():
            gone[name] = _Differences(None, wanted.since)
        for name, each in (every | gone).items():
            if each.judged(record):
                each.take(record, name, limit)
    every.update(gone)


def _chosen(every: dict[str, _Differences], name: str | None) -> dict[str, _Differences]:
    """Return all, or the one of that name.

    Raises:
        UsageError: There is none.
    """
    if name is None:
        return every
    if name not in every:
        there = ", ".join(sorted(every)) or "none"
        raise click.UsageError(f"there is no shadow policy {printable(name)!r}; there is: {there}")
    return {name: every[name]}


def _text(
    found: Mapping[str, _Differences], today: date, configuration: str | None
) -> Iterator[str]:
    if not found:
        yield "no policy runs as a shadow: name one with `shadow` in the live policy"
    for name, each in found.items():
        yield f"{name}: {_term(each.shadow, today)}"
        if not each.messages:
            yield "  it has judged no message of these"
            continue
        share = f"{100 * each.share:.1f} %"
        yield (
            f"  {each.changed} of {each.messages} messages ({share}) since {moment(each.since)}"
            " would be treated otherwise"
        )
        yield from (f"  {n:>6}  {old} -> {new}" for (old, new), n in each.ways.most_common())
        yield from (f"  {_line(*row)}" for row in each.shown)
        if len(each.shown) < each.changed:
            yield f"  ... and {each.changed - len(each.shown)} more: --limit"
        if each.shadow is not None and each.shown:
            yield f"  one in full: {_explaining(each.shown[0][0], each.shadow, configuration)}"


def _term(shadow: Shadow | None, today: date) -> str:
    """Return in words how long a shadow runs."""
    if shadow is None:
        return "not a shadow of the live policy any more"
    left = _days_left(shadow, today)
    if left < 0:
        return f"ended on {shadow.until}"
    if not left:
        return f"until {shadow.until}, which is today"
    return f"until {shadow.until}, {left} {'day' if left == 1 else 'days'} left"


def _line(record: Record, row: Shadowed) -> str:
    points = f"({record.score:g} -> {row.score:g})"
    head = f"{moment(record.at)}  {record.txn_id}  {record.action} -> {row.action} {points}"
    return f"{head}  {route(record)}  by {causes(row)}"


def _explaining(record: Record, shadow: Shadow, configuration: str | None) -> str:
    command = ["gatepost", "policy", "explain", record.txn_id, "--policy", shadow.path]
    return shlex.join([*command, *(["-c", configuration] if configuration else [])])


def _plain(name: str, each: _Differences, today: date) -> dict[str, Any]:
    shadow = each.shadow
    return {
        "name": name,
        "policy": shadow.path if shadow else None,
        "until": shadow.until if shadow else None,
        "days_left": max(0, _days_left(shadow, today)) if shadow else None,
        "ended": shadow is None or _days_left(shadow, today) < 0,
        "since": each.since,
        "messages": each.messages,
        "changed": each.changed,
        "share": each.share,
        "by_way": [[*way, count] for way, count in each.ways.most_common()],
        "changes": [_change(*row) for row in each.shown],
    }


def _change(record: Record, row: Shadowed) -> dict[str, Any]:
    return {
        "txn_id": record.txn_id,
        "at": record.at,
        "mail_from": record.mail_from,
        "recipients": record.recipients,
        "old": {"action": record.action, "score": record.score, "rule": record.rule},
        "new": {"action": row.action, "score": row.score, "rule": row.rule},
        "by": row.by,
    }


def _days_left(shadow: Shadow, today: date) -> int:
    return (date.fromisoformat(shadow.until) - today).days


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()
