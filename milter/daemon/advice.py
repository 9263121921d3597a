"""What a configuration may say and its site most likely does not want: warnings, no mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.dns.nameservers import nameservers
from milter.dns.public import public_operator
from policies.loader import load_policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.daemon.configuration import Configuration
    from policies.errors import ConfigError
    from policies.loader import Source


def advice(configuration: Configuration, source: Source) -> list[ConfigError]:
    """Return the warnings for a configuration that was read, each at its place.

    Args:
        configuration: Is valid.
        source: Where it was read from.
    """
    settings = configuration.settings
    if settings.dns.zone_file:
        return []
    lists = load_policies(source, settings.policies).plan.dns_lists
    return [*_public_resolvers(configuration)] if lists else []


def _public_resolvers(configuration: Configuration) -> Iterator[ConfigError]:
    """Warn of name servers that many lists refuse: their answers would be lost, day after day."""
    configured = configuration.settings.dns.nameservers
    for i, (address, _) in enumerate(nameservers(configured)):
        if (operator := public_operator(address)) is None:
            continue
        loc = ("dns", "nameservers", i) if configured else ("dns",)
        yield configuration.placed.at(
            loc,
            f"{address} is the public resolver of {operator}, and many DNS lists refuse those: "
            "run a resolver of your own and name it in `dns.nameservers`",
        )
