"""ARC: the chain of seals, and what sealers that the site trusts say they saw (RFC 8617).

Verifying is `milter.auth.arc`. Here it is decided whose word counts: that of a trusted sealer, if
all behind it are trusted too. The DMARC check reads it from the fact.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from milter.auth.arc import ArcResult, check_arc
from milter.auth.results import AuthResult, Result
from milter.auth.story import story_of
from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.address import domain_key
from milter.core.transaction import Stage
from milter.dns.bounded import BoundedResolver
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milter.auth.arc.result import Seal
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from policies.facts import FactValue

_FIELDS: Final = ("arc-seal", "arc-message-signature", "arc-authentication-results")


class ArcCheck:
    """Whether forwarders sealed the message, and whether one of them is trusted.

    Args:
        clock: Seconds since 1970, for signatures that expire.
        trusted_sealers: Domains; what is below one of them is trusted as well.
        wait_s: Seconds for which keys are waited for in all.
    """

    name = "arc"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset({"ARC_PASS", "ARC_FAIL", "ARC_TRUSTED"})

    def __init__(
        self,
        clock: Callable[[], float],
        trusted_sealers: Iterable[str] = (),
        wait_s: float = 16.0,
    ) -> None:
        self._clock = clock
        self._wait_s = wait_s
        self._trusted = frozenset(map(domain_key, trusted_sealers))

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a symbol for the chain, the fact arc, and the result."""
        if message is None or not any(message.count(name) for name in _FIELDS):
            return NOTHING
        bounded = BoundedResolver(resolver, self._wait_s)
        said = await check_arc(message.raw, bounded, now=int(self._clock()))
        if said.result is Result.NONE:
            return NOTHING
        # What was added on top of what was sealed, nobody vouches for.
        trusted = [] if said.uncovered else self._trusted_of(said.seals)
        if story := story_of(resolver):
            hops = ", ".join(seal.domain for seal in said.seals)
            words = f"{said.result.value}{f' ({said.reason})' if said.reason else ''}"
            story.decide(f"the chain{f' of {hops}' if hops else ''}: {words}", "RFC 8617 §5.2")
            names = ", ".join(seal.domain for seal in trusted)
            story.decide(f"the site trusts, from the last hop on: {names or 'none'}")
        auth = AuthResult("arc", said.result, (), said.reason or _sealed(said, said.sealer))
        return Evidence((_finding(said, trusted),), {"arc": self._fact(said, trusted)}, (auth,))

    def _fact(self, said: ArcResult, trusted: list[Seal]) -> FactValue:
        # The last of the hops that saw the domain pass is the one that is named.
        passed = {domain: seal.domain for seal in reversed(trusted) for domain in seal.dmarc_passed}
        vouched: list[FactValue] = [
            {"domain": domain, "sealer": sealer} for domain, sealer in sorted(passed.items())
        ]
        doubted = self._trusted_of(said.undecided)
        undecided: list[FactValue] = [*sorted({d for seal in doubted for d in seal.dmarc_passed})]
        return {
            "result": said.result.value,
            "sealer": said.sealer,
            "trusted": bool(trusted),
            "vouched": vouched,
            "undecided": undecided,
        }

    def _trusted_of(self, seals: Sequence[Seal]) -> list[Seal]:
        """Return the seals whose word counts, the last hop first."""
        return [*takewhile(self._trusts, reversed(seals))]

    def _trusts(self, seal: Seal) -> bool:
        domain = seal.domain
        while domain:
            if domain in self._trusted:
                return True
            domain = domain.partition(".")[2]
        return False


def _sealed(said: ArcResult, sealers: str) -> str:
    return f"sealed by {sealers}" + (f"; {said.uncovered}" if said.uncovered else "")


def _finding(said: ArcResult, trusted: list[Seal]) -> Finding:
    if said.result is not Result.PASS:
        return Finding("ARC_FAIL", said.reason)
    hops = ", ".join(seal.domain for seal in said.seals)
    details = {"domain": said.sealer}
    return Finding("ARC_TRUSTED" if trusted else "ARC_PASS", _sealed(said, hops), details)
