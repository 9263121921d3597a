"""`gatepost scan`: what would be done about these messages, and why. Needs no daemon.

What is not known of the envelope is not guessed from the message: without --client-ip no list is
asked and no reverse name looked up, without --mail-from there is no SPF.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from milter.app.enclosed import enclosed_reader
from milter.checks.catalogue import Means, SenderChecks, build_checks
from milter.cli import EXIT_FINDING, EXIT_FINE, EXIT_INPUT
from milter.cli.explain import explanation, printable, summary
from milter.cli.mail_files import MailFile, read_mail_told
from milter.cli.progress import progress_beside_lines
from milter.core.address import Mailbox, parse_mailbox
from milter.core.connection import Direction
from milter.core.errors import ParseError
from milter.core.ids import SessionId, TxnId, new_id
from milter.dns.cache import CachingResolver
from milter.dns.client import DnsClient
from milter.dns.fake import FakeResolver, read_zone
from milter.enclosed.reader import is_installed
from milter.memory.weights import LiveWeights
from milter.message.lines import with_crlf
from milter.pipeline.offline import Envelope, Judged, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.report import scan_report, unanswered
from milter.pipeline.runner import Pipeline
from milter.settings import Dns
from milter.settings.enclosed import EnclosedFiles
from policies.loader import FileSource, load_policies
from policies.ranges import AddressRanges
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milter.core.connection import IpAddress
    from milter.dns.resolver import Resolver

_BUDGET_S = 20.0


@dataclass(slots=True)
class _Tally:
    """What was seen on the way through the messages."""

    worse: bool = False
    unread: bool = False
    unanswered: bool = False

    def code(self, *, strict: bool) -> int:
        if self.unread or (strict and self.unanswered):
            return EXIT_INPUT
        return EXIT_FINDING if self.worse else EXIT_FINE


def _ip(_context: click.Context, _option: click.Parameter, text: str | None) -> IpAddress | None:
    try:
        return ip_address(text) if text else None
    except ValueError as err:
        raise click.BadParameter(f"{text!r} is no IP address") from err


def _mailbox(text: str) -> Mailbox:
    try:
        return parse_mailbox(text)
    except ParseError as err:
        raise click.BadParameter(f"{text!r}: {err.what}") from err
    except UnicodeError as err:
        raise click.BadParameter(f"{text!r} is not UTF-8") from err


def _reverse_path(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[bool, Mailbox | None]:
    """Return whether the reverse path is known, and what it is; `<>` is the null one."""
    return text is not None, None if text in (None, "", "<>") else _mailbox(text)


def _recipients(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[Mailbox, ...]:
    return tuple(_mailbox(text) for text in texts)


def _networks(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as err:
        raise click.BadParameter(f"a network like 192.0.2.0/24 is needed: {err}") from err


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--client-ip", callback=_ip, metavar="IP", help="Address of the client.")
@click.option("--helo", default="", metavar="NAME", help="Name that the client gave.")
@click.option(
    "--trusted-relay",
    multiple=True,
    callback=_networks,
    metavar="NET",
    help="Host of your own: mail that it passes on is judged by the client before it.",
)
@click.option("--mail-from", callback=_reverse_path, metavar="A", help="Reverse path; <> for none.")
@click.option(
    "--rcpt", multiple=True, callback=_recipients, metavar="A", help="Recipient; may be repeated."
)
@click.option(
    "--direction",
    type=click.Choice([direction.value for direction in Direction]),
    default="inbound",
    show_default=True,
)
@click.option("--listener", default="scan", metavar="NAME", help="Listener that overrides see.")
@click.option("--dns", "zone", metavar="ZONE.yaml", help="Names come from this file alone.")
@click.option("--policy", metavar="FILE", help="Policy file or preset; absent: balanced.")
@click.option(
    "--trust-sealer", multiple=True, metavar="DOMAIN", help="ARC seals to believe; may be repeated."
)
@click.option(
    "--protected-domain",
    multiple=True,
    metavar="DOMAIN",
    help="Domain of yours that others imitate; may be repeated.",
)
@click.option(
    "--classifier",
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False),
    help="Where a daemon keeps what its classifier learned.",
)
@click.option(
    "--open",
    "opened",
    multiple=True,
    type=click.Choice(["pdf", "qr"]),
    help="Open PDF files, or look for QR codes, in a process of its own; may be repeated.",
)
@click.option("--offline", is_flag=True, help="Ask nothing: only checks of the message itself.")
@click.option("--explain", is_flag=True, help="Tell the whole story of each verdict.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message and line.")
@click.option("--strict", is_flag=True, help="Exit 3 when a check got no answer.")
def scan(  # noqa: PLR0913 - one argument an option
    *,
    paths: tuple[str, ...],
    client_ip: IpAddress | None,
    helo: str,
    trusted_relay: tuple[IPv4Network | IPv6Network, ...],
    mail_from: tuple[bool, Mailbox | None],
    rcpt: tuple[Mailbox, ...],
    direction: str,
    listener: str,
    zone: str | None,
    policy: str | None,
    trust_sealer: tuple[str, ...],
    protected_domain: tuple[str, ...],
    classifier: str | None,
    opened: tuple[str, ...],
    offline: bool,
    explain: bool,
    as_json: bool,
    strict: bool,
) -> int:
    """Judge the messages at PATH: files, mailboxes, Maildirs, folders; - is the standard input.

    Lines that end in LF are read as ending in CRLF. Exit code: 0 all pass or tag, 1 any worse
    verdict, 2 wrong use, 3 something could not be read, 78 a mistake in the policy.
    """
    _exclude(("--explain", explain), ("--json", as_json))
    _exclude(("--offline", offline), ("--dns", bool(zone)))
    told, sender = mail_from
    known = Envelope(client_ip=client_ip, helo_name=helo, mail_from=sender, mail_from_known=told)
    envelope = replace(known, recipients=rcpt, direction=Direction(direction), listener=listener)
    show = _json if as_json else explanation if explain else summary
    messages = (mail for path in paths for mail in read_mail_told(path))
    senders = SenderChecks(trusted_sealers=trust_sealer, protected_domains=protected_domain)
    closing = ExitStack()
    pipeline = _pipeline(policy, zone, _means(senders, classifier), closing, offline=offline)
    pipeline = _opening(pipeline, opened, closing)
    pipeline = pipeline.explaining() if explain else pipeline
    pipeline = pipeline.behind(AddressRanges.of_networks(trusted_relay))
    return asyncio.run(_scan(pipeline, closing, messages, envelope, show)).code(strict=strict)


def _opening(pipeline: Pipeline, opened: tuple[str, ...], closing: ExitStack) -> Pipeline:
    """Return `pipeline` with the files that messages enclose opened, of the kinds named."""
    for name in opened:
        if not is_installed(name):
            raise click.UsageError(f"--open {name} needs a library: install gatepost[{name}]")
    wanted = EnclosedFiles(pdf="pdf" in opened, qr="qr" in opened)
    return pipeline.opening(enclosed_reader(wanted, closing))


def _exclude(one: tuple[str, bool], other: tuple[str, bool]) -> None:
    if one[1] and other[1]:
        raise click.UsageError(f"{one[0]} and {other[0]} exclude each other")


def _means(senders: SenderChecks, classifier: str | None) -> Means:
    return Means(
        platform.node() or "localhost",
        time.time,
        senders=senders,
        weights=LiveWeights(Path(classifier), time.monotonic) if classifier else None,
    )


def _pipeline(
    policy: str | None,
    zone: str | None,
    means: Means,
    closing: ExitStack,
    *,
    offline: bool,
) -> Pipeline:
    source = FileSource()
    policies = load_policies(source, policy)
    checks = build_checks(policies.plan, means)
    resolver: Resolver
    if offline:
        resolver, checks = FakeResolver({}), without_network(checks)
    elif zone:
        resolver = read_zone(source, zone)
    else:
        client = DnsClient.from_settings(Dns())
        closing.callback(client.close)
        resolver = CachingResolver(client, time.monotonic, Dns())
    return Pipeline(
        checks=checks,
        policies=policies,
        resolver=resolver,
        identity=Identity(means.hostname, means.hostname),
        budget_s=_BUDGET_S,
    )


async def _scan(
    pipeline: Pipeline,
    closing: ExitStack,
    messages: Iterator[MailFile],
    envelope: Envelope,
    show: Callable[[str, Judged], Text],
) -> _Tally:
    tally = _Tally()
    with closing, progress_beside_lines() as progress:
        task = progress.add_task("messages", total=None)
        for mail in messages:
            if mail.error:
                tally.unread = True
                click.echo(f"{printable(mail.name)}: {mail.error}", err=True)
                continue
            judged = await _judge(pipeline, mail.data, envelope)
            tally.worse |= judged.outcome.verdict.action > Action.TAG
            tally.unanswered |= unanswered(judged.judgement.evidence)
            if not _printed(show(mail.name, judged)):
                break
            progress.advance(task)
    return tally


def _printed(text: Text) -> bool:
    """Print `text`; False when nobody reads any more (`gatepost scan ... | head`)."""
    # Lines are never wrapped: what reads them is often a program.
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(text)
    try:
        sys.stdout.write(captured.get())
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would raise once more when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


async def _judge(pipeline: Pipeline, data: bytes, envelope: Envelope) -> Judged:
    return await judge(
        pipeline,
        with_crlf(data),
        envelope,
        TxnId(new_id(os.urandom)),
        SessionId(new_id(os.urandom)),
    )


def _json(name: str, judged: Judged) -> Text:
    report = scan_report(judged.judgement, judged.outcome, judged.txn_id, judged.message)
    ways = [{"action": way.action.word, "words": way.words} for way in judged.ways()]
    return Text(json.dumps({"file": name, **report, "ways": ways}, ensure_ascii=True))
