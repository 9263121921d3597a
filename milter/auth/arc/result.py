"""What ARC says of a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.auth.arc.said import dmarc_passed

if TYPE_CHECKING:
    from milter.auth.results import Result


@dataclass(frozen=True, slots=True)
class Seal:
    """One hop of a chain that holds.

    Attributes:
        domain: Who sealed, d= of ARC-Seal, in lower case and A-labels.
        said: What that hop says that it found, the value of ARC-Authentication-Results.
    """

    domain: str
    said: bytes

    @property
    def dmarc_passed(self) -> frozenset[str]:
        """Author domains for which that hop says that it saw DMARC pass.

        Read when asked for: fifty hops that nobody trusts may say a quarter of a megabyte.
        """
        return dmarc_passed(self.said)


@dataclass(frozen=True, slots=True)
class ArcResult:
    """The outcome of a chain.

    Attributes:
        result: NONE (no seals), PASS or FAIL (RFC 8617 §4.4); trouble in the DNS is FAIL as well.
        seals: From the first hop to the last; empty unless the chain holds.
        reason: Why it fails, in words.
        uncovered: What a reader sees that the last hop did not sign, in words; empty as a rule.
            The chain holds, and nobody in it saw the message as it is.
        undecided: The seals of a chain of which nothing is wrong but that a key could not be asked
            for: it fails now, and may hold when it comes again.
    """

    result: Result
    seals: tuple[Seal, ...] = ()
    reason: str = ""
    uncovered: str = ""
    undecided: tuple[Seal, ...] = ()

    @property
    def sealer(self) -> str:
        """The domain of the last seal; empty unless the chain holds."""
        return self.seals[-1].domain if self.seals else ""
