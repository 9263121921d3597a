"""What DKIM says of one signature."""

from __future__ import annotations

from dataclasses import dataclass

from milter.auth.results import Result


@dataclass(frozen=True, slots=True)
class DkimResult:
    """The outcome of one signature.

    Attributes:
        result: PASS, FAIL (message or headers changed), POLICY (right, but not to be relied upon),
            TEMPERROR (no answer from the DNS, or no time for a large body), PERMERROR (cannot be
            judged, ever).
        domain: The d= tag, in lower case and A-labels; empty when it cannot be read.
        selector: The s= tag; empty likewise.
        algorithm: The a= tag, such as rsa-sha256; empty likewise.
        reason: Why it is no pass, in words; of a pass what it does not cover, if l= leaves it open.
        key_bits: Size of the key; 0 when none was read.
        identity: The i= tag, `@` and the domain where there is none.
        signature: The first 8 characters of the b= tag, for `header.b` (RFC 6008 §4).
        weak: Whether the signer's own choice is what speaks against it: rsa-sha1, a short key, or
            l= with text appended.
        testing: Whether the key says that the domain is only trying DKIM out (t=y).
    """

    result: Result
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    reason: str = ""
    key_bits: int = 0
    identity: str = ""
    signature: str = ""
    weak: bool = False
    testing: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a signature or a key is not looked at any further."""

    reason: str
    result: Result = Result.PERMERROR
    weak: bool = False
