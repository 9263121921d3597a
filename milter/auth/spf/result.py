"""What SPF says, and what one evaluation may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from milter.auth.results import Result

Identity = Literal["mailfrom", "helo"]


@dataclass(frozen=True, slots=True)
class SpfResult:
    """What SPF says.

    Attributes:
        result: One of the seven of RFC 7208 §2.6.
        identity: Which name was checked.
        domain: The domain that was asked, in lower case and A-labels; as given when it is no name.
        explanation: For FAIL, what the domain publishes as its reason: printable ASCII of at most
            480 characters, chosen by the domain's owner; empty when there is none.
        reason: Why there is no better result, in words; empty for pass, fail, softfail, neutral.
        mechanism: The term that matched, such as `-all`; empty when none did.
        terms: How many terms asked the DNS.
        void_lookups: How many of their questions had no answer.
    """

    result: Result
    identity: Identity
    domain: str
    explanation: str = ""
    reason: str = ""
    mechanism: str = ""
    terms: int = 0
    void_lookups: int = 0


@dataclass(frozen=True, slots=True)
class SpfLimits:
    """What one evaluation may cost; the defaults are those of RFC 7208 §4.6.4.

    Attributes:
        terms: Terms that ask the DNS: include, a, mx, ptr, exists, redirect, and the p macro.
        void_lookups: Questions without an answer, past which the record is broken.
        mx_names: Names of one mx term; more of them are a permerror.
        ptr_names: Reverse names that are looked at; more of them are passed over.
        timeout_s: Seconds for all of it; past them, temperror.
    """

    terms: int = 10
    void_lookups: int = 2
    mx_names: int = 10
    ptr_names: int = 10
    timeout_s: float = 20.0


DEFAULT_LIMITS: Final = SpfLimits()
