"""What DMARC says of one author domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.auth.dmarc.record import Wish
from milter.auth.results import Result

if TYPE_CHECKING:
    from milter.auth.dmarc.walk import Asked


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain that SPF or DKIM was asked about (RFC 9989 §4.3).

    Attributes:
        method: spf or dkim.
        domain: In lower case and A-labels.
        result: What the method said; only PASS authenticates.
        aligned: Whether it is aligned with the author's domain, as far as that was looked at.
    """

    method: str
    domain: str
    result: Result
    aligned: bool = False


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """The outcome for one author domain.

    Attributes:
        result: PASS, FAIL, NONE (no record), TEMPERROR (a needed name could not be asked for) or
            PERMERROR (a record that cannot be applied).
        author_domain: The domain of From.
        wish: What the domain wants done with a failure, test mode taken into account.
        published: The same as published.
        tag: The tag that it stands in: p, sp or np.
        record_domain: Where the record is; empty without one.
        org_domain: The author's organizational domain; empty where nobody had to know.
        testing: Whether the domain only tests its policy (t=y).
        identifiers: What was authenticated or not, and what of it is aligned.
        asked: The questions for records, in order.
        reason: Why, in words.
    """

    result: Result
    author_domain: str
    wish: Wish = Wish.NONE
    published: Wish = Wish.NONE
    tag: str = ""
    record_domain: str = ""
    org_domain: str = ""
    testing: bool = False
    identifiers: tuple[Identifier, ...] = ()
    asked: tuple[Asked, ...] = ()
    reason: str = ""

    @property
    def aligned(self) -> tuple[Identifier, ...]:
        """The identifiers that authenticate the author's domain."""
        return tuple(
            each for each in self.identifiers if each.aligned and each.result is Result.PASS
        )
