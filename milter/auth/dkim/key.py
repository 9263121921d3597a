"""Key records (RFC 6376 §3.6.1), and what is verified with them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from milter.auth.dkim.result import Refusal
from milter.auth.dkim.tags import decode_base64, items, parse_tags
from milter.auth.results import Result
from milter.core.errors import ParseError
from milter.dns.resolver import Outcome

if TYPE_CHECKING:
    from milter.dns.resolver import Answer

# RFC 8301 §3.2: shorter keys are never valid; longer ones than 4096 bits need not be accepted, fit
# into no answer over UDP, and are only there to cost time.
MIN_BITS: Final = 1024
MAX_BITS: Final = 4096
# Signers have 65537 and a few others. One as long as the key makes verifying fifty times as dear.
MAX_EXPONENT_BITS: Final = 32
# RFC 8463 §4.2: the raw key.
_ED25519_BITS: Final = 256
# A key of MAX_BITS in base64 is 750 octets.
_MAX_RECORD: Final = 4096
_CACHED: Final = 1024
# Other texts may stand at the name of a key, where a wildcard puts them.
_MEANT: Final = re.compile(rb"\s*v\s*=\s*DKIM1|(?:[^;]*;)*?\s*p\s*=", re.IGNORECASE)

_PADDING: Final = PKCS1v15()
_HASHED: Final = Prehashed(SHA256())


@dataclass(frozen=True, slots=True)
class Key:
    """A usable public key.

    Attributes:
        public: What verifies.
        bits: Its size.
        same_domain: Whether i= must have exactly the domain of d= (t=s).
        testing: Whether the domain is only trying DKIM out (t=y).
    """

    public: RSAPublicKey | Ed25519PublicKey
    bits: int
    same_domain: bool = False
    testing: bool = False

    def verifies(self, signature: bytes, digest: bytes) -> bool:
        """Tell whether `signature` is one of `digest`, a SHA-256 (RFC 8017 §8.2.2, RFC 8463 §3)."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, digest, _PADDING, _HASHED)
            else:
                self.public.verify(signature, digest)
        except InvalidSignature:
            return False
        return True


def read_key(answer: Answer, algorithm: str) -> Key | Refusal:
    """Return the key in `answer` if it may be used with `algorithm` (RFC 6376 §6.1.2)."""
    if answer.outcome.temporary:
        return Refusal(f"{answer.outcome.value} for the key", Result.TEMPERROR)
    if answer.outcome is not Outcome.ANSWER:
        return Refusal("no key in the DNS")
    texts = {b"".join(r) for r in answer.records if isinstance(r, tuple)}  # type: ignore[arg-type]
    keys = [_key(text, algorithm) for text in texts if _MEANT.match(text)]
    if not keys:
        return Refusal("no key record in the DNS")
    # RFC 6376 §3.6.2.2: several records have no defined meaning, so none of them vouches.
    return keys[0] if len(keys) == 1 else Refusal("several key records in the DNS")


def _key(text: bytes, algorithm: str) -> Key | Refusal:
    """Return what `text`, which is meant as a key record, is worth."""
    # Told before it could be kept: whoever has a wildcard has any number of them, of 64 KB each.
    if len(text) > _MAX_RECORD:
        return Refusal("the key record is too long")
    return _remembered(text, algorithm)


@lru_cache(maxsize=_CACHED)
def _remembered(text: bytes, algorithm: str) -> Key | Refusal:
    try:
        tags = parse_tags(text)
    except ParseError as err:
        return Refusal(f"the key record cannot be read: {err.what}")
    if b"p" not in tags:
        return Refusal("the key record has no p=")
    # RFC 6376 §3.6.1: v= comes first, if it is there; §6.1.2: what is not so is not used.
    if b"v" in tags and next(iter(tags)) != b"v":
        return Refusal("the key record cannot be read: v= is not its first tag")
    return _usable(tags, algorithm)


def _usable(tags: dict[bytes, bytes], algorithm: str) -> Key | Refusal:
    """Judge the tags of a record (RFC 6376 §3.6.1)."""
    kind, _, digest = algorithm.partition("-")
    if tags.get(b"v", b"DKIM1") != b"DKIM1":
        return Refusal("the key record has another version")
    if not tags[b"p"]:
        return Refusal("the key is revoked")
    if tags.get(b"k", b"rsa") != kind.encode():
        return Refusal(f"the key is not for {kind}")
    if b"h" in tags and digest.encode() not in items(tags[b"h"]):
        return Refusal(f"the key is not for {digest}")
    if not {b"*", b"email"} & set(items(tags.get(b"s", b"*"))):
        return Refusal("the key is not for mail")
    return _parsed(tags, kind)


def _parsed(tags: dict[bytes, bytes], kind: str) -> Key | Refusal:
    data = decode_base64(tags[b"p"])
    public = _load(data, kind) if data else None
    if public is None:
        return Refusal("the key cannot be read")
    bits = public.key_size if isinstance(public, RSAPublicKey) else _ED25519_BITS
    if kind == "rsa" and bits < MIN_BITS:
        return Refusal(f"the key has only {bits} bits", weak=True)
    if bits > MAX_BITS:
        return Refusal(f"the key has {bits} bits")
    if isinstance(public, RSAPublicKey) and _exponent_bits(public) > MAX_EXPONENT_BITS:
        return Refusal("the key has too long an exponent")
    flags = items(tags.get(b"t", b""))
    return Key(public, bits, b"s" in flags, b"y" in flags)


def _exponent_bits(public: RSAPublicKey) -> int:
    return public.public_numbers().e.bit_length()


def _load(data: bytes, kind: str) -> RSAPublicKey | Ed25519PublicKey | None:
    try:
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(data)
        # RFC 6376 §3.6.1, with its erratum: SubjectPublicKeyInfo, or the bare RSAPublicKey.
        public = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public if isinstance(public, RSAPublicKey) else None
