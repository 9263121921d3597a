"""The recorded history on the command line: looked for, and judged again."""

from __future__ import annotations

import asyncio
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import click

from milter.app.senders import sender_checks
from milter.checks.catalogue import Means, build_checks
from milter.cli.explain import printable
from milter.cli.stores import opened_store
from milter.core.connection import Direction
from milter.core.ids import read_id
from milter.doors.replay import Past, Replay, Replayed
from policies.compare import Change, changed
from policies.errors import PolicyError
from policies.loader import FileSource, load_policies, load_symbols
from policies.mailboxes import plain_address
from policies.mistakes import near
from policies.verdict import Action, Contribution, Verdict
from reputation.history.journal import Journal, Wanted
from reputation.history.known import Known, known_to
from reputation.history.wanted import parse_time, readings
from reputation.subjects import plain_ip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from milter.settings import Settings
    from policies.select import PolicySet
    from reputation.history.record import Record
    from reputation.store import Store

NONE: Final = (
    "the history has no such message: it never came here, is not kept any more, or was refused in a"
    " flood, of which only some are kept (the log has all)"
)
# What `--mail` names instead of a path; a folder of that name is `./history`.
HISTORY: Final = "history"
_WORDS: Final = (
    ("sender", "A", "Reverse path or author: an address or a domain."),
    ("recipient", "A", "A recipient: an address or a domain."),
    ("message-id", "ID", "Message-ID, with or without angle brackets."),
    ("queue-id", "ID", "What the mail server before or behind us calls it."),
    ("client-ip", "IP", "Address of the client."),
    ("symbol", "NAME", "A symbol that was found."),
    ("listener", "NAME", "Name of the listener."),
    ("shadow", "NAME", "A shadow policy that would have done something else."),
    ("since", "TIME", "Not older: 90m, 24h, 7d, 2027-01-31, 2027-01-31T14:02:07 (UTC)."),
    ("until", "TIME", "Not younger, written likewise."),
)


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which messages are meant."""
    for name, metavar, words in reversed(_WORDS):
        command = click.option(f"--{name}", default="", metavar=metavar, help=words)(command)
    actions = click.Choice([action.word for action in Action])
    ways = click.Choice([each.value for each in Direction])
    command = click.option("--direction", type=ways, help="Which way it went.")(command)
    return click.option("--action", type=actions, help="What was done.")(command)


def wanted_by(options: dict[str, str | None], now: float) -> Wanted:
    """Return which messages the options mean.

    Raises:
        UsageError: A time is none, or the client's address is none.
    """
    said: dict[str, Any] = {name: value for name, value in options.items() if value}
    for name in ("since", "until"):
        if name in said:
            try:
                said[name] = parse_time(said[name], now)
            except ValueError as err:
                raise click.UsageError(f"--{name}: {err}") from err
    for name in ("sender", "recipient"):
        if name in said:
            said[name] = plain_address(said[name])
    if "client_ip" in said:
        said["client_ip"] = plain_ip(said["client_ip"])
        try:
            ip_address(said["client_ip"])
        except ValueError as err:
            raise click.UsageError(f"--client-ip: {said['client_ip']!r} is no IP address") from err
    return Wanted(**said)


def unknown_names(past: PastMail, wanted: Wanted) -> Iterator[str]:
    """Yield in words which names of a search that found nothing the configuration does not have.

    They may have been there once, so this is no mistake.
    """
    try:
        policies = load_policies(FileSource(), past.settings.policies)
    except PolicyError:
        return
    known = {
        "symbol": {*load_symbols(), *policies.all_single()[0].symbols},
        "listener": {"http", *(each.name for each in past.settings.listeners)},
        "shadow": {each.name for each in policies.plan.shadows},
    }
    for what, names in known.items():
        name = getattr(wanted, what)
        if name and name not in names:
            yield f"there is no {what} {printable(name)} now{near(name, names)}"


@dataclass
class PastMail:
    """The history of a store, opened.

    Attributes:
        settings: The configuration that names the store.
        store: Has it.
        journal: Reads it.
    """

    settings: Settings
    store: Store
    journal: Journal
    _known: dict[tuple[str, str], Known | None] = field(default_factory=dict)

    def wanted(self, since: str) -> Wanted:
        """Return all messages since a time that was said."""
        return wanted_by({"since": since}, time.time())

    def past(self, record: Record) -> Past:
        """Return a message with all that is known of it."""
        version = (record.version, record.gatepost)
        if version not in self._known:
            self._known[version] = known_to(self.store, *version)
        message = self.journal.message(record.txn_id) if record.message_kept else None
        return Past(record, self._known[version], message)

    def replay(self, policy: str | None) -> tuple[Replay, PolicySet]:
        """Return what judges by the policies at `policy`; None: those of the configuration."""
        policies = load_policies(FileSource(), policy or self.settings.policies)
        hostname = self.settings.hostname or platform.node() or "localhost"
        means = Means(hostname, time.time, senders=sender_checks(self.settings))
        return Replay(policies, build_checks(policies.plan, means)), policies

    def changes(
        self, policies: Sequence[str | None], wanted: Wanted, unknown: list[str]
    ) -> Iterator[Change | None]:
        """Give what changes for each message from the first of `policies` to the last.

        Of one policy: from what was done to what it would do. What cannot be known is added to
        `unknown`, in words.
        """
        replays = [self.replay(each)[0] for each in policies]
        with asyncio.Runner() as runner:
            for line in self.journal.each(wanted):
                if line.record.stage:
                    # Refused before its message came: there is nothing to judge.
                    continue
                past = self.past(line.record)
                judged = [runner.run(each.judge(past)) for each in replays]
                unknown += _unknown(line.record, judged)
                verdicts = [each.verdict for each in judged]
                old = verdicts[0] if len(verdicts) > 1 else verdict_of(line.record)
                domains = {each.rpartition("@")[2] for each in line.record.recipients}
                domain = ", ".join(sorted(domains))
                yield changed(_name(line.record), printable(domain), old, verdicts[-1])


def verdict_of(record: Record) -> Verdict:
    """Return what was decided, as far as the history has it."""
    return Verdict(
        action=Action[record.action.upper()],
        score=record.score,
        required=record.required,
        policy=record.policy,
        reason=record.reason,
        contributions=tuple(
            [Contribution(one.symbol, one.weight, one.counted) for one in record.symbols]
        ),
        rule=record.rule,
        kind=record.kind,
        trace=tuple(record.trace),
    )


@contextmanager
def opened(path: str | None) -> Iterator[PastMail]:
    """Give the history of the store that the configuration names."""
    with opened_store(path) as (store, settings):
        yield PastMail(settings, store, Journal(store))


def meant_by(past: PastMail, words: Sequence[str], wanted: Wanted, limit: int) -> list[Record]:
    """Return the messages that all of `words` fit, the youngest first.

    Args:
        past: The history.
        words: Ids, addresses, domains, clients, in any order.
        wanted: Bounds the time.
        limit: How many.
    """
    found: dict[int, Record] | None = None
    for word in words:
        fits: dict[int, Record] = {}
        for reading in readings(word):
            bounded = replace(
                reading,
                txn_id=reading.txn_id and (read_id(reading.txn_id) or reading.txn_id),
                sender=plain_address(reading.sender),
                recipient=plain_address(reading.recipient),
                since=wanted.since,
                until=wanted.until,
            )
            for line in past.journal.each(bounded):
                fits[line.number] = line.record
                # Of one word alone no more are shown; of several the others may take most away.
                if len(words) == 1 and len(fits) >= 2 * limit:
                    break
        found = fits if found is None else {k: v for k, v in found.items() if k in fits}
    every = sorted((found or {}).values(), key=lambda record: -record.at)
    return every[:limit]


def _name(record: Record) -> str:
    return printable(f"{record.txn_id} {record.mail_from or '<>'}")


def _unknown(record: Record, judged: Sequence[Replayed]) -> Iterator[str]:
    names = sorted({name for each in judged for name in each.unknown})
    if names:
        yield f"{record.txn_id}: not known then and not to be known now: {', '.join(names)}"
