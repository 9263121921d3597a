"""Forward-confirmed reverse DNS of the client (RFC 8601 §3).

Asks through `milter.auth.iprev` and says what came of it. Addresses that mean something only in our
own network are not asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.auth.iprev import IprevResult, check_iprev
from milter.auth.results import AuthResult, Result
from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.checks.networks import LOCAL
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from policies.facts import FactValue

# RFC 8601 §2.7.3: permerror is an address without any reverse name.
_SYMBOLS: Final = {
    Result.PERMERROR: "IPREV_MISSING",
    Result.FAIL: "IPREV_FAIL",
    Result.TEMPERROR: "IPREV_TEMPERROR",
}


class IprevCheck:
    """Whether the client's address has a name that leads back to it."""

    name = "iprev"
    stage = Stage.CONNECT
    directions = RECEIVED
    symbols = frozenset(_SYMBOLS.values())

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return the symbol, the facts iprev and connection, and the result for the header."""
        client = txn.connection.client_ip
        if client is None or client in LOCAL:
            return NOTHING
        said = await check_iprev(client, resolver)
        auth = AuthResult("iprev", said.result, (("policy.iprev", str(client)),), said.reason)
        fact: dict[str, FactValue] = {"result": said.result.value}
        names: dict[str, FactValue] = {}
        if said.reason:
            fact["reason"] = said.reason
        if said.name:
            fact["name"] = names["name"] = said.name
        if said.reverse_name:
            names["reverse_name"] = said.reverse_name
        facts: dict[str, FactValue] = {"iprev": fact, "connection": names}
        return Evidence(_findings(said, str(client)), facts, (auth,))


def _findings(said: IprevResult, client: str) -> tuple[Finding, ...]:
    symbol = _SYMBOLS.get(said.result)
    if symbol is None:
        return ()
    details = {"client_ip": client, "name": said.reverse_name or ""}
    return (Finding(symbol, f"{client}: {said.reason}", details),)
