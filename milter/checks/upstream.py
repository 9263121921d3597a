"""What hosts of our own found out about a message before it came to us (RFC 8601 §5).

An `Authentication-Results` field is worth as much as the way that it came: anybody can write one.
It counts when a relay of ours handed the message to us and the field bears a name that the admin
trusts; such a host must take away what strangers wrote in its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.auth.read_results import OthersResults, parse_authentication_results
from milter.auth.results import Result
from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.address import domain_key
from milter.core.errors import ParseError
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from milter.auth.results import AuthResult
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from policies.facts import FactValue

_METHODS: Final = ("spf", "dkim", "dmarc")
_WORDS: Final = {Result.PASS: "PASS", Result.FAIL: "FAIL"}
_MAX_FIELDS: Final = 20
# Where each method names the domain that it is about, the more telling first.
_DOMAINS: Final = ("header.d", "header.from", "smtp.mailfrom", "smtp.helo", "header.i")


class UpstreamCheck:
    """What trusted upstreams say of the sender.

    Args:
        authserv_ids: The names that they write into the field.
    """

    name = "upstream"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {f"UPSTREAM_{method.upper()}_{word}" for method in _METHODS for word in _WORDS.values()}
    )

    def __init__(self, authserv_ids: Iterable[str] = ()) -> None:
        self._trusted = frozenset(map(domain_key, authserv_ids))

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return the symbols and the fact upstream."""
        if message is None or not self._trusted or not txn.connection.relays:
            return NOTHING
        said = [
            (field.authserv_id, result)
            for field in self._fields(message)
            for result in field.results
        ]
        findings: dict[str, Finding] = {}
        for authserv_id, result in said:
            if (found := _finding(authserv_id, result)) is not None:
                findings.setdefault(found.symbol, found)
        facts: list[FactValue] = [_fact(authserv_id, result) for authserv_id, result in said]
        return Evidence(tuple(findings.values()), {"upstream": facts}) if said else NOTHING

    def _fields(self, message: Message) -> Iterator[OthersResults]:
        for value in message.values("authentication-results")[:_MAX_FIELDS]:
            try:
                field = parse_authentication_results(value)
            except ParseError:
                continue
            if field.authserv_id in self._trusted:
                yield field


def _finding(authserv_id: str, said: AuthResult) -> Finding | None:
    word = _WORDS.get(said.result)
    if word is None or said.method not in _METHODS:
        return None
    domain = _domain(said)
    evidence = f"{domain or 'no domain'} by {authserv_id}"
    return Finding(f"UPSTREAM_{said.method.upper()}_{word}", evidence, {"domain": domain})


def _fact(authserv_id: str, said: AuthResult) -> FactValue:
    known: dict[str, FactValue] = {
        "authserv_id": authserv_id,
        "method": said.method,
        "result": said.result.value,
        "domain": _domain(said),
        "reason": said.reason,
    }
    return {name: value for name, value in known.items() if value}


def _domain(said: AuthResult) -> str:
    properties = dict(said.properties)
    named = next((properties[name] for name in _DOMAINS if properties.get(name)), "")
    return domain_key(named.rpartition("@")[2])
