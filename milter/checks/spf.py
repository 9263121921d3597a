"""SPF for both identities of the client (RFC 7208 §2.3, §2.4).

The evaluation is `milter.auth.spf`; here it is decided whom to ask about and which symbol fits.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milter.auth.results import AuthResult, Result
from milter.auth.spf import (
    DEFAULT_LIMITS,
    SpfLimits,
    SpfMeans,
    SpfMemory,
    SpfResult,
    check_helo,
    check_spf,
    remembered_helo,
)
from milter.auth.spf.srs import original_sender
from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.checks.networks import LOCAL
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.connection import IpAddress
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from policies.facts import FactValue

_SYMBOLS: Final = {
    result: f"SPF_{result.name}"
    for result in (
        *(Result.PASS, Result.FAIL, Result.SOFTFAIL, Result.NEUTRAL, Result.NONE),
        *(Result.TEMPERROR, Result.PERMERROR),
    )
}
_NOT_ASKED: Final = Evidence(auth=(AuthResult("spf", Result.NONE, reason="the client is local"),))


class SpfCheck:
    """Whether the domain of the reverse path authorises the client; else whether HELO's forbids it.

    For the null reverse path the identity is postmaster at the HELO name, and is checked once.

    Args:
        hostname: Our own name, for explanations.
        memory: Where results are kept between messages; None: nowhere.
        limits: What one evaluation may cost.
        wall_clock: Seconds since 1970, for explanations.
        wait_s: Seconds that one evaluation has at most, whatever `limits` say: a HELO name with
            name servers that hardly answer must not take the result of the reverse path with it.
    """

    name = "spf"
    stage = Stage.MAIL
    directions = RECEIVED
    symbols = frozenset({*_SYMBOLS.values(), "SPF_HELO_FAIL"})

    def __init__(
        self,
        hostname: str,
        memory: SpfMemory | None = None,
        limits: SpfLimits = DEFAULT_LIMITS,
        wall_clock: Callable[[], float] = time.time,
        wait_s: float = 16.0,
    ) -> None:
        # Deviation: RFC 7208 §4.6.4 allows 20 seconds at least, which is all that the stage has.
        limits = replace(limits, timeout_s=min(limits.timeout_s, wait_s))
        self._means = SpfMeans(hostname, limits, memory, wall_clock)

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return the symbols, the fact spf, and the results for the header."""
        client = txn.connection.client_ip
        if client is None:
            return NOTHING
        # No published record can speak of addresses that exist in many networks at once.
        if client in LOCAL:
            return _NOT_ASKED
        mail_from, helo = await self._results(txn, client, resolver)
        findings = [_finding(_SYMBOLS[mail_from.result], mail_from, txn)]
        auth = [_auth(mail_from, txn)]
        # A HELO name without a record is usual and tells nothing: it gets no line in the header.
        if helo is not None and helo.result is not Result.NONE:
            auth.append(_auth(helo, txn))
            if helo.result is Result.FAIL:
                findings.append(_finding("SPF_HELO_FAIL", helo, txn))
        return Evidence(tuple(findings), {"spf": _fact(mail_from, helo)}, tuple(auth))

    async def _mail_from(
        self, txn: Transaction, client: IpAddress, resolver: Resolver
    ) -> SpfResult:
        """Return the result for the reverse path, also where a relay of ours may have rewritten it.

        A forwarder or list server puts its own domain there, which does not authorise the client
        before it and need not. That it authorises our relay is no pass: anybody may send us our own
        domain through our own backup MX.
        """
        connection, path, means = txn.connection, txn.mail_from, self._means
        said = await check_spf(client, path, connection.helo_name, resolver, means)
        if not connection.relays or path is None or said.result in (Result.PASS, Result.NONE):
            return said
        for relay in connection.relays:
            own = await check_spf(relay, path, connection.helo_name, resolver, means)
            if own.result is Result.PASS:
                original = original_sender(path)
                if original is not None:
                    return await check_spf(client, original, connection.helo_name, resolver, means)
                reason = f"the reverse path may be that of our relay {relay}"
                return replace(said, result=Result.NEUTRAL, reason=reason, explanation="")
        return said

    async def _results(
        self, txn: Transaction, client: IpAddress, resolver: Resolver
    ) -> tuple[SpfResult, SpfResult | None]:
        helo, means = txn.connection.helo_name, self._means
        mail_from = self._mail_from(txn, client, resolver)
        if txn.mail_from is None or not helo:
            return await mail_from, None
        # Two tasks cost more than a result that is remembered.
        if means.memory and (kept := remembered_helo(client, helo, means.memory)):
            return await mail_from, kept
        return await asyncio.gather(mail_from, check_helo(client, helo, resolver, means))


def _finding(symbol: str, said: SpfResult, txn: Transaction) -> Finding:
    client = str(txn.connection.client_ip)
    why = said.mechanism or said.reason
    evidence = f"{client} for {said.domain}" + (f": {why}" if why else "")
    if said.explanation:
        evidence += f"; the domain says: {said.explanation}"
    details = {"domain": said.domain, "client_ip": client, "helo": txn.connection.helo_name[:100]}
    return Finding(symbol, evidence, details)


def _fact(said: SpfResult, helo: SpfResult | None) -> FactValue:
    known = {
        "result": said.result.value,
        "domain": said.domain,
        "identity": said.identity,
        "mechanism": said.mechanism,
        "reason": said.reason,
        "explanation": said.explanation,
        "helo_result": helo.result.value if helo else "",
    }
    return {name: value for name, value in known.items() if value}


def _auth(said: SpfResult, txn: Transaction) -> AuthResult:
    if said.identity == "helo":
        return AuthResult("spf", said.result, (("smtp.helo", said.domain),), said.reason)
    path = txn.mail_from
    # Of a path that our own relay rewrote, the original was checked.
    mail_from = said.domain
    if path is not None and path.domain_key == said.domain:
        # The field is written in ASCII, where nothing but A-labels tells one name from another.
        mail_from = path.text if path.domain.isascii() else f"{path.local_part}@{said.domain}"
    return AuthResult("spf", said.result, (("smtp.mailfrom", mail_from),), said.reason)
