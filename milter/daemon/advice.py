"""What a configuration may say and its site most likely does not want: warnings, no mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.dns.nameservers import nameservers
from milter.dns.public import public_operator
from policies.loader import load_list_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.daemon.configuration import Configuration
    from policies.dnslists import DnsList
    from policies.errors import ConfigError


def advice(configuration: Configuration) -> list[ConfigError]:
    """Return the warnings for a valid configuration, each at its place."""
    found = [*_defaults_of_mail_servers(configuration), *_short_budget(configuration)]
    if configuration.dns_lists and not configuration.settings.dns.zone_file:
        found += _public_resolvers(configuration)
    return found


def _defaults_of_mail_servers(configuration: Configuration) -> Iterator[ConfigError]:
    """Remind of what only the mail server's own configuration can say."""
    for i, listener in enumerate(configuration.settings.listeners):
        if listener.protocol == "milter":
            yield configuration.placed.at(
                ("listeners", i, "protocol"),
                "the mail server decides what happens while Gatepost is away: set "
                "`milter_default_action = tempfail` in Postfix, `F=T` in Sendmail's "
                "INPUT_MAIL_FILTER",
            )


def _short_budget(configuration: Configuration) -> Iterator[ConfigError]:
    """Warn of a budget in which one question may not end: what it was for is not known then."""
    dns, budget_s = configuration.settings.dns, configuration.settings.limits.budget_s
    if dns.zone_file:
        return
    servers = len(nameservers(dns.nameservers))
    longest_s = dns.timeout_s * dns.attempts * servers
    if budget_s < longest_s:
        yield configuration.placed.at(
            ("limits", "budget_s"),
            f"one question to the DNS may take {longest_s:g} s (timeout_s x attempts x name "
            f"servers: {dns.timeout_s:g} x {dns.attempts} x {servers}), and the checks of a "
            f"message have {budget_s:g} s: what a slow name server would say comes too late",
        )


def _public_resolvers(configuration: Configuration) -> Iterator[ConfigError]:
    """Warn of name servers that many lists refuse: their answers would be lost, day after day."""
    refusing = _refusing(configuration.dns_lists)
    who = (
        f"these lists refuse those: {', '.join(refusing)}"
        if refusing
        else "many DNS lists refuse those"
    )
    configured = configuration.settings.dns.nameservers
    for i, (address, _) in enumerate(nameservers(configured)):
        if (operator := public_operator(address)) is None:
            continue
        loc = ("dns", "nameservers", i) if configured else ("dns",)
        yield configuration.placed.at(
            loc,
            f"{address} is the public resolver of {operator}, and {who}; "
            "run a resolver of your own and name it in `dns.nameservers`",
        )


def _refusing(lists: Sequence[DnsList]) -> list[str]:
    """Return the zones of `lists` that refuse public resolvers, by the terms in the catalogue."""
    catalogue = load_list_catalogue()
    zones = dict.fromkeys(one.zone for one in lists)
    return [
        zone
        for zone in zones
        if (about := catalogue.about_zone(zone)) and not about.public_resolvers
    ]
