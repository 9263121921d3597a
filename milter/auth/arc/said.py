"""What a hop says in ARC-Authentication-Results about DMARC (RFC 8617 §4.1.1)."""

from __future__ import annotations

from milter.auth.read_results import parse_arc_results
from milter.auth.results import Result
from milter.core.address import domain_key
from milter.core.errors import ParseError


def dmarc_passed(value: bytes) -> frozenset[str]:
    """Return the author domains for which the field with `value` says `dmarc=pass`.

    A field that cannot be read says nothing of anybody.
    """
    try:
        results = parse_arc_results(value).results
    except ParseError:
        return frozenset()
    domains = {
        dict(said.properties).get("header.from", "").rpartition("@")[2]
        for said in results
        if said.method == "dmarc" and said.result is Result.PASS
    }
    return frozenset(domain_key(domain) for domain in domains if domain)
