"""`gatepost diagnose`: what the world sees of a domain, and what to do about it."""

from __future__ import annotations

import asyncio
import json
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from milter.auth.diagnose import Diagnosis, Grade
from milter.auth.diagnose import diagnose as diagnosis_of
from milter.cli import EXIT_FINDING, EXIT_FINE, EXIT_INPUT
from milter.cli.explain import printable
from milter.cli.options import domain_named
from milter.dns.cache import CachingResolver
from milter.dns.client import DnsClient
from milter.dns.fake import read_zone
from milter.settings import Dns
from policies.loader import FileSource

if TYPE_CHECKING:
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Resolver

_STYLES = {
    Grade.GOOD: "green",
    Grade.NOTE: "yellow",
    Grade.PROBLEM: "red",
    Grade.UNANSWERED: "magenta",
}


def _ip(_context: click.Context, _option: click.Parameter, text: str | None) -> IpAddress | None:
    try:
        return ip_address(text) if text else None
    except ValueError as err:
        raise click.BadParameter(f"{text!r} is no IP address") from err


@click.command()
@click.argument("domain", callback=domain_named)
@click.option("--ip", callback=_ip, metavar="IP", help="Address that sends for the domain.")
@click.option(
    "--selector", "selectors", multiple=True, metavar="S", help="DKIM selector; may be repeated."
)
@click.option("--dns", "zone", metavar="ZONE.yaml", help="Names come from this file alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def diagnose(
    *,
    domain: str,
    ip: IpAddress | None,
    selectors: tuple[str, ...],
    zone: str | None,
    as_json: bool,
) -> int:
    """Tell what the world sees of DOMAIN, each with a sentence of advice.

    Exit code: 0 nothing to be mended, 1 a problem, 2 wrong use, 3 the DNS did not answer.
    """
    resolver: Resolver
    if zone:
        resolver = read_zone(FileSource(), zone)
    else:
        resolver = CachingResolver(DnsClient.from_settings(Dns()), time.monotonic, Dns())
    said = asyncio.run(diagnosis_of(domain, resolver, ip, selectors))
    if as_json:
        click.echo(json.dumps(said.as_json(), ensure_ascii=True))
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        console.print(_told(said))
    if said.has(Grade.UNANSWERED):
        return EXIT_INPUT
    return EXIT_FINDING if said.has(Grade.PROBLEM) else EXIT_FINE


def _told(said: Diagnosis) -> Text:
    lines = [Text(f"{said.domain}  ({said.questions} questions to the DNS)", "bold")]
    for item in said.items:
        grade = (f"{item.grade.value:<10}", _STYLES[item.grade])
        lines.append(Text.assemble(grade, f" {printable(item.topic)}"))
        lines += [Text(f"             {printable(line)}", "dim") for line in item.found]
        lines.append(Text(f"             -> {printable(item.advice)}"))
    return Text("\n").join(lines)
