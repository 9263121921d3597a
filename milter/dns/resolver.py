"""What every check sees of DNS: one question, one typed answer.

Trouble is an outcome, not an exception: a list or a domain that cannot be asked must be told apart
from one that said no, at each place that asks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

Rrtype = Literal["A", "AAAA", "TXT", "MX", "PTR", "CNAME", "NS", "SOA"]
# A, AAAA, PTR, CNAME, NS: text without a final dot. MX: preference and name. TXT: the strings. The
# names of a client's answers are in lower case.
Rdata = str | tuple[int, str] | tuple[bytes, ...]


class Outcome(StrEnum):
    """How a question ended (RFC 1035 §4.1.1, RFC 2308 §2)."""

    ANSWER = "answer"
    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"

    # Whether asking again later may bring an answer: nothing was learned now.
    temporary: bool

    def __init__(self, word: str) -> None:
        # Asked for with every answer, so an attribute and no search.
        self.temporary = word in ("servfail", "refused", "timeout")


class Answer(NamedTuple):
    """The answer to one question.

    Attributes:
        outcome: How it ended; records are there only for ANSWER.
        records: The data in the order of the packet, aliases followed.
        ttl_s: Seconds for which it may be kept; for NXDOMAIN and NODATA from the SOA
            (RFC 2308 §5); 0 when it must not be kept.
        stale: Whether its life is over, and nobody could be asked anew (RFC 8767 §4): what it says
            was true, and is the best that is known.
    """

    outcome: Outcome
    records: tuple[Rdata, ...] = ()
    ttl_s: int = 0
    stale: bool = False


class Resolver(Protocol):
    """Asks questions. Implemented by `client`, wrapped by `cache`, faked by `fake`."""

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`, which needs no final dot.

        Never raises for DNS trouble, nor for a name that cannot be a domain name (NXDOMAIN).
        Ends within the resolver's own timeouts; the deadline of a message is its caller's, who
        cancels, which ends nothing that others wait for.
        """
        ...
