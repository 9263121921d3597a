"""One DKIM-Signature field, judged as far as that needs no key (RFC 6376 §6.1.1)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import dkim
from dkim.canonicalization import CanonicalizationPolicy, InvalidCanonicalizationPolicyError
from dkim.util import InvalidTagValueList, parse_tag_value

from milter.auth.dkim.result import DkimResult, Refusal
from milter.auth.results import Result
from milter.core.address import domain_key
from milter.core.reply import printable
from milter.dns.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.auth.dkim.fields import Field

# dkimpy's patterns are quadratic in runs of blanks, and it looks through all signed fields for each
# item of h=; no real signature comes near these.
_MAX_FIELD: Final = 8_192
_MAX_BLANKS: Final = 128
_MAX_SIGNED: Final = 200
_MAX_DIGITS: Final = 20
_MAX_WORDS: Final = 120

# Clocks of senders are off by a wrong time zone more often than they lie.
_CLOCK_SKEW_S: Final = 36_000
# An expired signature is what a replay looks like, so there the leave is short.
_EXPIRY_SKEW_S: Final = 300

_BLANKS: Final = re.compile(rb"\s+")
_ESCAPED: Final = re.compile(rb"=([0-9A-F]{2})")
_SIGNED_SEPARATOR: Final = re.compile(rb"\s*:\s*")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that is worth asking for its key.

    Attributes:
        field: Name and value as they stand in the message.
        tags: Its tags, values stripped.
        signed: Names of h=, in lower case.
        relaxed_body: Whether the body is taken in its relaxed form.
        body_length: l=, None without it.
        body_digest: What bh= says.
        key_name: Where the key is.
    """

    field: Field
    tags: Mapping[bytes, bytes]
    signed: tuple[bytes, ...]
    relaxed_body: bool
    body_length: int | None
    body_digest: bytes
    key_name: str


def read_tags(field: Field) -> Mapping[bytes, bytes] | Refusal:
    """Return the tags of a DKIM-Signature field (RFC 6376 §3.2)."""
    value = field[1]
    if len(value) > _MAX_FIELD or max(map(len, _BLANKS.findall(value)), default=0) > _MAX_BLANKS:
        return Refusal("the signature field is too long")
    try:
        tags: Mapping[bytes, bytes] = parse_tag_value(value)
    except (InvalidTagValueList, IndexError):
        return Refusal("the signature's tags cannot be read")
    return tags


def describe(tags: Mapping[bytes, bytes]) -> DkimResult:
    """Return what the tags say of themselves; PERMERROR stands for: not judged yet."""
    domain = domain_key(_text(tags, b"d"))
    identity = _BLANKS.sub(b"", tags.get(b"i", b""))
    # dkim-quoted-printable, RFC 6376 §2.11.
    identity = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), identity)
    return DkimResult(
        Result.PERMERROR,
        domain=domain,
        selector=_text(tags, b"s"),
        algorithm=_text(tags, b"a"),
        identity=identity.decode("utf-8", "replace") or f"@{domain}",
        signature=_BLANKS.sub(b"", tags.get(b"b", b""))[:8].decode("utf-8", "replace"),
    )


def read_signature(
    field: Field, tags: Mapping[bytes, bytes], known: DkimResult, now: int
) -> Signature | Refusal:
    """Return the signature of `field` if it may be judged at `now`, in seconds since 1970."""
    if known.algorithm == "rsa-sha1":
        # RFC 8301 §3.1: must not be considered valid, whatever it says.
        return Refusal("signed with rsa-sha1", weak=True)
    refusal = _syntax(tags) or _times(tags, now) or _identity(known)
    if refusal is not None:
        return refusal
    key_name = canonical_name(f"{known.selector}._domainkey.{known.domain}")
    if key_name is None or not known.selector or not known.domain:
        return Refusal("the signature names no key")
    signed = tuple(_SIGNED_SEPARATOR.split(tags[b"h"].lower()))
    if len(signed) > _MAX_SIGNED:
        return Refusal("the signature covers too many fields")
    # RFC 6376 §5.4: From must be signed; a signature without it vouches for nobody.
    if b"from" not in signed:
        return Refusal("the signature does not cover From")
    try:
        policy = CanonicalizationPolicy.from_c_value(tags.get(b"c", b"simple/simple"))
    except InvalidCanonicalizationPolicyError:
        return Refusal("the signature has an unknown canonicalization")
    try:
        body_digest = base64.b64decode(_BLANKS.sub(b"", tags[b"bh"]), validate=True)
    except ValueError:
        # dkimpy looks at b= where it means to look at bh=.
        return Refusal("the signature's bh= is not base64")
    return Signature(
        field,
        tags,
        signed,
        policy.body_algorithm.name == b"relaxed",
        int(tags[b"l"]) if b"l" in tags else None,
        body_digest,
        key_name,
    )


def _syntax(tags: Mapping[bytes, bytes]) -> Refusal | None:
    for name in (b"l", b"t", b"x"):
        if name in tags and not (tags[name].isdigit() and len(tags[name]) <= _MAX_DIGITS):
            return Refusal(f"the signature's {name.decode()}= is no number")
    # RFC 6376 §3.5: a list of ways to get the key, of which we know one.
    if b"dns/txt" not in _SIGNED_SEPARATOR.split(tags.get(b"q", b"dns/txt")):
        return Refusal("the signature's key is not in the DNS")
    judged_here = (b"l", b"t", b"x", b"q", b"i")
    try:
        dkim.validate_signature_fields({k: v for k, v in tags.items() if k not in judged_here})
    except dkim.ValidationError as err:
        return Refusal(printable(f"the signature is malformed: {err}")[:_MAX_WORDS])
    return None


def _times(tags: Mapping[bytes, bytes], now: int) -> Refusal | None:
    signed_at, expires = (int(tags[name]) if name in tags else None for name in (b"t", b"x"))
    if signed_at is not None and signed_at > now + _CLOCK_SKEW_S:
        return Refusal("the signature is from the future")
    if expires is None:
        return None
    if signed_at is not None and expires < signed_at:
        return Refusal("the signature expired before it was made")
    if expires < now - _EXPIRY_SKEW_S:
        return Refusal("the signature has expired")
    return None


def _identity(known: DkimResult) -> Refusal | None:
    """Refuse an i= outside of d= (RFC 6376 §3.5)."""
    domain = domain_key(known.identity.rpartition("@")[2])
    if domain == known.domain or domain.endswith(f".{known.domain}"):
        return None
    return Refusal("the signature's i= is not within its d=")


def _text(tags: Mapping[bytes, bytes], name: bytes) -> str:
    return tags.get(name, b"").decode("utf-8", "replace")
