"""Results of authentication methods (RFC 8601 §2.7), one type for all methods.

A result says what came out. How it came about is told apart from it, and only to a person who asks:
a method looks whether its resolver carries a story, and adds its conclusions with their sections
(`milter.auth.story`). What it asked the DNS is in the story already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """The outcome of a method, in the RFC's words (RFC 8601 §2.7)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"  # noqa: S105 - a result, no secret
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class AuthResult:
    """One `method=result` of `Authentication-Results`.

    Attributes:
        method: spf, dkim, iprev ...
        result: The outcome.
        properties: `ptype.property` and value, in order: `("smtp.mailfrom", "a@example.org")`.
            Values are as the peer gave them; they are made safe where the header is written.
        reason: Why, in words; empty when the result says all.
    """

    method: str
    result: Result
    properties: tuple[tuple[str, str], ...] = ()
    reason: str = ""
