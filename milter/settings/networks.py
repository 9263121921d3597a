"""Tables of networks and countries."""

from __future__ import annotations

from pydantic import Field

from milter.settings.section import Section


class Networks(Section):
    """Tables that tell to which network and country an address belongs; each worker has a copy."""

    asn_file: str | None = Field(
        default=None,
        description="MaxMind DB file with the network (AS) of addresses, such as GeoLite2-ASN or "
        "DB-IP's; absent: networks are not known. Each is a subject of reputation (asn:64500)",
    )
    country_file: str | None = Field(
        default=None,
        description="MaxMind DB file with the country of addresses; absent: the country of "
        "registration, from a table that is built in. Only the countries of a file are subjects of "
        "reputation (country:nl)",
    )
