"""DKIM signatures of the message (RFC 6376 §6.1).

Verifying is `milter.auth.dkim`; here it is decided which symbol fits. A domain is judged by its
best signature: one that was broken on the way proves nothing when another of the domain holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.auth.dkim import DkimResult, check_dkim
from milter.auth.results import AuthResult, Result
from milter.auth.story import story_of
from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.dns.bounded import BoundedResolver
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from policies.facts import FactValue

_SYMBOLS: Final = {
    Result.PASS: "DKIM_PASS",
    Result.TEMPERROR: "DKIM_TEMPERROR",
    Result.POLICY: "DKIM_WEAK",
    Result.FAIL: "DKIM_FAIL",
    Result.PERMERROR: "DKIM_PERMERROR",
}
# From the best to the worst; what only waits for DNS may still turn out to be good.
_ORDER: Final = ("DKIM_PASS", "DKIM_TEMPERROR", "DKIM_WEAK", "DKIM_FAIL", "DKIM_PERMERROR")
_UNSIGNED: Final = Evidence(
    (Finding("DKIM_NONE", "no signature"),),
    {"dkim": []},
    (AuthResult("dkim", Result.NONE),),
)


class DkimCheck:
    """Which domains signed the message, and whether their signatures hold.

    Args:
        clock: Seconds since 1970, for signatures that expire.
        wait_s: Seconds for which keys are waited for: one that is silent must not take the results
            of the others with it.
        body_s: Seconds after which a large body is not waited for any longer, keys included: what
            is known without it must not be lost.
    """

    name = "dkim"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset({*_ORDER, "DKIM_NONE"})

    def __init__(
        self, clock: Callable[[], float], wait_s: float = 16.0, body_s: float = 19.0
    ) -> None:
        self._clock = clock
        self._wait_s = wait_s
        self._body_s = body_s

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a symbol for each signing domain, the fact dkim, and the results."""
        if message is None:
            return NOTHING
        if not message.count("dkim-signature"):
            return _UNSIGNED
        bounded = BoundedResolver(resolver, self._wait_s)
        results = await check_dkim(
            message.raw,
            bounded,
            now=int(self._clock()),
            authors=message.author_domains,
            wait_s=self._body_s,
        )
        if not results:
            return _UNSIGNED
        if story := story_of(resolver):
            for said in results:
                story.decide(*_told(said))
        shown: list[FactValue] = [_fact(said) for said in results]
        return Evidence(
            tuple(_finding(said) for said in _best(results)),
            {"dkim": shown},
            tuple(_auth(said) for said in results),
        )


def _best(results: Iterable[DkimResult]) -> list[DkimResult]:
    """Return the best signature of each domain, in the order of the domains."""
    best: dict[str, DkimResult] = {}
    for said in results:
        # RFC 6376 §3.6.1, t=y: whoever only tries DKIM out is treated as one who does not sign.
        if said.testing and said.result is not Result.PASS:
            continue
        kept = best.setdefault(said.domain, said)
        if _ORDER.index(_symbol(said)) < _ORDER.index(_symbol(kept)):
            best[said.domain] = said
    return list(best.values())


def _finding(said: DkimResult) -> Finding:
    named = {"domain": said.domain, "selector": said.selector}
    details = {name: value for name, value in named.items() if value}
    evidence = f"{said.selector}._domainkey.{said.domain}: {said.reason or said.result.value}"
    return Finding(_symbol(said), evidence, details)


def _told(said: DkimResult) -> tuple[str, str]:
    """Return in words what was decided about one signature, and the section it follows."""
    key = f", {said.key_bits} bits" if said.key_bits else ""
    signature = f"{said.algorithm}{key}, i={said.identity}, b={said.signature}"
    why = f" ({said.reason})" if said.reason else ""
    testing = "; the key is for tests (t=y)" if said.testing else ""
    words = f"{said.domain}, {signature}: {said.result.value}{why}{testing}"
    return words, "RFC 6376 §6.1" if said.result is not Result.POLICY else "RFC 6376 §8"


def _symbol(said: DkimResult) -> str:
    if said.weak and said.result is not Result.PASS:
        return "DKIM_WEAK"
    return _SYMBOLS.get(said.result, "DKIM_PERMERROR")


def _fact(said: DkimResult) -> FactValue:
    return {"result": said.result.value, "domain": said.domain, "selector": said.selector}


def _auth(said: DkimResult) -> AuthResult:
    # RFC 8601 §2.7.1; header.b tells signatures of one domain and selector apart (RFC 6008 §4).
    values = (
        ("header.d", said.domain),
        ("header.i", said.identity),
        ("header.s", said.selector),
        ("header.a", said.algorithm),
        ("header.b", said.signature),
    )
    known = tuple((name, value) for name, value in values if value)
    return AuthResult("dkim", said.result, known, said.reason)
