"""Key records (RFC 6376 §3.6.1), and RSA through `cryptography`.

dkimpy parses the key itself; which record is taken and what its tags forbid is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from dkim.util import InvalidTagValueList, parse_tag_value

from milter.auth.dkim.result import Refusal
from milter.auth.results import Result
from milter.dns.resolver import Outcome

if TYPE_CHECKING:
    from milter.dns.resolver import Answer

# RFC 8301 §3.2: shorter keys are never valid; longer ones than 4096 bits need not be accepted, and
# far longer ones are only there to cost time.
MIN_BITS: Final = 1024
MAX_BITS: Final = 8192
# A key of MAX_BITS in base64 is 1,500 octets.
_MAX_RECORD: Final = 4096
_CACHED: Final = 1024


@dataclass(frozen=True, slots=True)
class Key:
    """A usable public key.

    Attributes:
        handle: What dkimpy verifies with.
        kind: rsa or ed25519.
        bits: Its size.
        same_domain: Whether i= must have exactly the domain of d= (t=s).
        testing: Whether the domain is only trying DKIM out (t=y).
    """

    handle: Any
    kind: str
    bits: int
    same_domain: bool = False
    testing: bool = False


def verify_rsa(hasher: Any, signature: bytes, public_key: dict[str, int]) -> bool:
    """Verify PKCS #1 v1.5 over the SHA-256 digest of `hasher` (RFC 8017 §8.2.2)."""
    key = _rsa_key(public_key["modulus"], public_key["publicExponent"])
    try:
        key.verify(signature, hasher.digest(), PKCS1v15(), Prehashed(SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=_CACHED)
def _rsa_key(modulus: int, exponent: int) -> RSAPublicKey:
    return RSAPublicNumbers(exponent, modulus).public_key()


def read_key(answer: Answer, algorithm: str) -> Key | Refusal:
    """Return the key in `answer` if it may be used with `algorithm` (RFC 6376 §6.1.2)."""
    if answer.outcome.temporary:
        return Refusal(f"{answer.outcome.value} for the key", Result.TEMPERROR)
    if answer.outcome is not Outcome.ANSWER:
        return Refusal("no key in the DNS")
    texts = {b"".join(r) for r in answer.records if isinstance(r, tuple)}  # type: ignore[arg-type]
    keys = [key for text in texts if (key := _key(text, algorithm)) is not None]
    if not keys:
        return Refusal("no key record in the DNS")
    # RFC 6376 §3.6.2.2: several records have no defined meaning, so none of them vouches.
    return keys[0] if len(keys) == 1 else Refusal("several key records in the DNS")


@lru_cache(maxsize=_CACHED)
def _key(text: bytes, algorithm: str) -> Key | Refusal | None:
    """Return what `text` is worth; None for other texts at the name of a key."""
    if len(text) > _MAX_RECORD:
        return None
    try:
        tags: dict[bytes, bytes] = parse_tag_value(text)
    except (InvalidTagValueList, IndexError):
        return None
    return _usable(tags, algorithm) if b"p" in tags else None


def _usable(tags: dict[bytes, bytes], algorithm: str) -> Key | Refusal:
    """Judge the tags of a record (RFC 6376 §3.6.1)."""
    kind, _, digest = algorithm.partition("-")
    if tags.get(b"v", b"DKIM1") != b"DKIM1":
        return Refusal("the key record has another version")
    if not tags[b"p"]:
        return Refusal("the key is revoked")
    if tags.get(b"k", b"rsa") != kind.encode():
        return Refusal(f"the key is not for {kind}")
    if b"h" in tags and digest.encode() not in _items(tags[b"h"]):
        return Refusal(f"the key is not for {digest}")
    if not {b"*", b"email"} & set(_items(tags.get(b"s", b"*"))):
        return Refusal("the key is not for mail")
    return _parsed(tags, kind)


def _items(value: bytes) -> list[bytes]:
    return [item.strip() for item in value.split(b":")]


def _parsed(tags: dict[bytes, bytes], kind: str) -> Key | Refusal:
    # Only the tags that dkimpy reads right: its s= accepts no list.
    record = b"k=%s; p=%s" % (kind.encode(), tags[b"p"])
    try:
        handle, bits, _, _ = dkim.evaluate_pk("key", record)
    except Exception:  # noqa: BLE001 - hostile keys reach its ASN.1 reader's own faults
        return Refusal("the key cannot be read")
    if kind == "rsa" and bits < MIN_BITS:
        return Refusal(f"the key has only {bits} bits", weak=True)
    if bits > MAX_BITS:
        return Refusal(f"the key has {bits} bits")
    flags = _items(tags.get(b"t", b""))
    return Key(handle, kind, bits, b"s" in flags, b"y" in flags)
