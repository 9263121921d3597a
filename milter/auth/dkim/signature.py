"""One DKIM-Signature field, judged as far as that needs no key (RFC 6376 §6.1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.auth.dkim.result import DkimResult, Refusal
from milter.auth.dkim.tags import decode_base64, items, parse_tags, tag_text
from milter.auth.results import Result
from milter.core.address import domain_key
from milter.core.errors import ParseError
from milter.dns.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.auth.dkim.fields import Field

# No real signature comes near these.
_MAX_FIELD: Final = 8_192
_MAX_SIGNED: Final = 200
# RFC 6376 §3.5: l= may have that many.
_MAX_DIGITS: Final = 76

# Clocks of senders are off by a wrong time zone more often than they lie.
_CLOCK_SKEW_S: Final = 36_000
# An expired signature is what a replay looks like, so there the leave is short.
_EXPIRY_SKEW_S: Final = 300

_BLANKS: Final = re.compile(rb"\s+")
# RFC 6376 §3.5 has domain-name and selector without address literals, and at least two labels of a
# domain; the underscore is no letter of theirs, and is met.
_KEY_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_FIELD_NAMES: Final = re.compile(rb"[!-9;-~]+")
_ESCAPED: Final = re.compile(rb"=([0-9A-F]{2})")
_FORMS: Final = {b"simple": False, b"relaxed": True}
# RFC 8301 §3.1: must not be considered valid, whatever it says.
_FORBIDDEN: Final = "rsa-sha1"
# RFC 8463 §3 adds the last.
_ALGORITHMS: Final = frozenset({"rsa-sha256", "ed25519-sha256"})

BodyForm = tuple[bool, int | None]


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that is worth asking for its key.

    Attributes:
        field: Name and value as they stand in the message.
        signed: Names of h=, in lower case.
        relaxed_header: Whether the header is taken in its relaxed form.
        body_form: Whether the body is, and l=, None without it.
        body_digest: What bh= says.
        value: What b= says.
        algorithm: a=, such as rsa-sha256.
        key_name: Where the key is.
    """

    field: Field
    signed: tuple[bytes, ...]
    relaxed_header: bool
    body_form: BodyForm
    body_digest: bytes
    value: bytes
    algorithm: str
    key_name: str


def read_tags(field: Field) -> Mapping[bytes, bytes] | Refusal:
    """Return the tags of a signature field (RFC 6376 §3.2)."""
    if len(field[1]) > _MAX_FIELD:
        return Refusal("the signature field is too long")
    try:
        return parse_tags(field[1])
    except ParseError:
        return Refusal("the signature's tags cannot be read")


def describe(tags: Mapping[bytes, bytes]) -> DkimResult:
    """Return what the tags say of themselves; PERMERROR stands for: not judged yet."""
    domain = domain_key(tag_text(tags, b"d"))
    identity = _BLANKS.sub(b"", tags.get(b"i", b""))
    # dkim-quoted-printable, RFC 6376 §2.11.
    identity = _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), identity)
    return DkimResult(
        Result.PERMERROR,
        domain=domain,
        selector=tag_text(tags, b"s"),
        algorithm=tag_text(tags, b"a"),
        identity=identity.decode("utf-8", "replace") if b"i" in tags else f"@{domain}",
        signature=b"".join(tags.get(b"b", b"")[:40].split())[:8].decode("utf-8", "replace"),
    )


def read_signature(
    field: Field, tags: Mapping[bytes, bytes], known: DkimResult, now: int
) -> Signature | Refusal:
    """Return the signature of `field` if it may be judged at `now`, in seconds since 1970."""
    # That of rsa-sha1 is told in any case: it is the signer's choice, and weak.
    if tags.get(b"v") != b"1" and known.algorithm != _FORBIDDEN:
        return Refusal("the signature has another version" if b"v" in tags else _missing(b"v"))
    signature = read_terms(field, tags, known)
    if isinstance(signature, Refusal):
        return signature
    # RFC 6376 §3.5: a list of ways to get the key, of which we know one.
    if b"dns/txt" not in items(tags.get(b"q", b"dns/txt")):
        return Refusal("the signature's key is not in the DNS")
    # That of ARC is empty where nothing but itself is sealed; this one is not (RFC 6376 §3.5).
    if not all(map(_FIELD_NAMES.fullmatch, signature.signed)):
        return Refusal("the signature's h= is no list of fields")
    # RFC 6376 §5.4: From must be signed; a signature without it vouches for nobody.
    if b"from" not in signature.signed:
        return Refusal("the signature does not cover From")
    return read_times(tags, now) or _identity(known) or signature


def read_terms(field: Field, tags: Mapping[bytes, bytes], known: DkimResult) -> Signature | Refusal:
    """Return what signatures of a message say, those of ARC included, if it can be read.

    What only DKIM-Signature has (v=, i=, q=, the times) is left to `read_signature`.
    """
    if known.algorithm == _FORBIDDEN:
        return Refusal("signed with rsa-sha1", weak=True)
    for name in (b"a", b"b", b"bh", b"d", b"h", b"s"):
        if name not in tags:
            return Refusal(_missing(name))
    key_name = read_key_name(known)
    if isinstance(key_name, Refusal):
        return key_name
    signed = tuple(items(tags[b"h"].lower()))
    if len(signed) > _MAX_SIGNED:
        return Refusal("the signature covers too many fields")
    # RFC 6376 §3.5: without a second form the body is taken in the simple one.
    header, slash, body = tags.get(b"c", b"simple").partition(b"/")
    body = body if slash else b"simple"
    if header not in _FORMS or body not in _FORMS:
        return Refusal("the signature has an unknown canonicalization")
    length = tags.get(b"l")
    if length is not None and not _is_number(length):
        return Refusal("the signature's l= is no number")
    value, digest = decode_base64(tags[b"b"]), decode_base64(tags[b"bh"])
    if value is None or digest is None:
        return Refusal(f"the signature's {'b' if value is None else 'bh'}= is not base64")
    form = (_FORMS[body], int(length) if length is not None else None)
    return Signature(field, signed, _FORMS[header], form, digest, value, known.algorithm, key_name)


def read_key_name(known: DkimResult) -> str | Refusal:
    """Return where the key is of a signature with a known algorithm (RFC 6376 §3.6.2.1)."""
    if known.algorithm not in _ALGORITHMS:
        return Refusal("the signature has an unknown algorithm")
    key_name = canonical_name(f"{known.selector}._domainkey.{known.domain}")
    if key_name is None or not known.selector or "." not in known.domain:
        return Refusal("the signature names no key")
    if _KEY_NAME.fullmatch(key_name) is None:
        return Refusal("the signature names no key")
    return key_name


def _missing(name: bytes) -> str:
    return f"the signature has no {name.decode()}="


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MAX_DIGITS


def read_times(tags: Mapping[bytes, bytes], now: int) -> Refusal | None:
    """Refuse what is from the future, or has expired (RFC 6376 §3.5); `now` in seconds."""
    for name in (b"t", b"x"):
        if name in tags and not _is_number(tags[name]):
            return Refusal(f"the signature's {name.decode()}= is no number")
    signed_at, expires = (int(tags[name]) if name in tags else None for name in (b"t", b"x"))
    if signed_at is not None and signed_at > now + _CLOCK_SKEW_S:
        return Refusal("the signature is from the future")
    if expires is None:
        return None
    if signed_at is not None and expires <= signed_at:
        return Refusal("the signature expired before it was made")
    if expires < now - _EXPIRY_SKEW_S:
        return Refusal("the signature has expired")
    return None


def _identity(known: DkimResult) -> Refusal | None:
    """Refuse an i= outside of d= (RFC 6376 §3.5)."""
    _, at, domain = known.identity.rpartition("@")
    domain = domain_key(domain)
    if not at or canonical_name(domain) is None:
        return Refusal("the signature's i= is no address")
    if domain == known.domain or domain.endswith(f".{known.domain}"):
        return None
    return Refusal("the signature's i= is not within its d=")
