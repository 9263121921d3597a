"""From a message to what its ARC chain is worth (RFC 8617 §5.2).

The signature of the last hop over the message is judged first; only where it holds are the keys of
the seals asked for. Hashing and keys are those of DKIM.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milter.auth.arc.chain import NAMES, read_chain
from milter.auth.arc.result import ArcResult, Seal
from milter.auth.dkim.fields import MAX_HEADER, split_message
from milter.auth.dkim.header import SIGNATURE_VALUE, by_name, header_digest, relaxed_field
from milter.auth.dkim.key import Key, read_key
from milter.auth.dkim.result import Refusal
from milter.auth.dkim.signature import describe, read_terms, read_times
from milter.auth.dkim.verify import fetch_keys, hash_bodies, why_weak
from milter.auth.results import Result
from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.auth.arc.chain import ArcSet, SealTags
    from milter.auth.dkim.header import FieldsByName
    from milter.dns.resolver import Answer, Resolver

_NONE = ArcResult(Result.NONE)
# What leaves it open whether the chain holds, or lets it hold: the seals are to be looked at.
_OPEN: Final = (Result.TEMPERROR, Result.POLICY)


async def check_arc(message: bytes, resolver: Resolver, *, now: int) -> ArcResult:
    """Return what the chain of `message` is worth.

    Args:
        message: As received, lines ended by CRLF.
        resolver: Is asked for each key once.
        now: Seconds since 1970, for x= of the last signature.
    """
    try:
        fields, body_start = split_message(message)
    except ParseError as err:
        header = message[:MAX_HEADER].lower()
        sealed = any(b"\n" + name + b":" in header for name in NAMES)
        return ArcResult(Result.FAIL, reason=err.what) if sealed else _NONE
    named = by_name(fields)
    try:
        chain = read_chain(named)
    except ParseError as err:
        return ArcResult(Result.FAIL, reason=err.what)
    if not chain:
        return _NONE
    last = await _message_trouble(chain[-1], named, (message, body_start), resolver, now)
    if last is None or last.result in _OPEN:
        return _worth(chain, last, await _seal_trouble(chain, resolver))
    return ArcResult(Result.FAIL, reason=last.reason)


def _worth(chain: Sequence[ArcSet], last: Refusal | None, seal: Refusal | None) -> ArcResult:
    """Return what a chain is worth by what was found of its last signature and of its seals."""
    if seal and seal.result is not Result.TEMPERROR:
        return ArcResult(Result.FAIL, reason=seal.reason)
    seals = tuple(Seal(each.seal_tags.known.domain, each.results[1]) for each in chain)
    uncovered = last.reason if last and last.result is Result.POLICY else ""
    unknown = seal if last is None or uncovered else last
    if unknown:
        undecided = () if uncovered else seals
        return ArcResult(Result.FAIL, reason=unknown.reason, undecided=undecided)
    return ArcResult(Result.PASS, seals, uncovered=uncovered)


async def _message_trouble(
    last: ArcSet, fields: FieldsByName, whole: tuple[bytes, int], resolver: Resolver, now: int
) -> Refusal | None:
    """Return why ARC-Message-Signature does not hold (RFC 8617 §4.1.2); None if it does.

    POLICY: it holds, and does not cover what a reader sees. TEMPERROR: its key is not known.
    """
    said = await _signature_trouble(last, fields, whole, resolver, now)
    if said is None or said.result is Result.POLICY:
        return said
    hop = last.message_tags[b"i"].decode()
    return replace(said, reason=f"the signature of hop {hop}: {said.reason}")


async def _signature_trouble(
    last: ArcSet, fields: FieldsByName, whole: tuple[bytes, int], resolver: Resolver, now: int
) -> Refusal | None:
    tags = last.message_tags
    signature = read_times(tags, now) or read_terms(last.message, tags, describe(tags))
    if isinstance(signature, Refusal):
        return signature
    if b"arc-seal" in signature.signed:
        return Refusal("it covers ARC-Seal")
    keys = await fetch_keys({signature.key_name}, resolver)
    key = read_key(keys[signature.key_name], signature.algorithm)
    if isinstance(key, Refusal):
        return key
    body = (await hash_bodies([signature.body_form], *whole))[signature.body_form]
    length = signature.body_form[1]
    if body.digest != signature.body_digest:
        return Refusal("the body was changed")
    if length is not None and body.size > length:
        return Refusal("text was appended to the signed body")
    digest = header_digest(
        fields, signature.signed, signature.field, relaxed=signature.relaxed_header
    )
    if not key.verifies(signature.value, digest):
        return Refusal("a signed header was changed")
    # RFC 6376 §8.15 is no step of a validator, so the chain holds; it vouches for nothing, though.
    reason = why_weak(signature, fields, body)
    return Refusal(reason, Result.POLICY) if reason else None


async def _seal_trouble(chain: Sequence[ArcSet], resolver: Resolver) -> Refusal | None:
    """Return why one of the seals does not hold, None if all do (RFC 8617 §5.1.1, §5.2).

    A key that is not known for the time being (TEMPERROR) comes behind all other trouble.
    """
    keys = await fetch_keys({each.seal_tags.key_name for each in chain}, resolver)
    sealed = hashlib.sha256()
    unknown: Refusal | None = None
    for number, each in enumerate(chain, 1):
        sealed.update(relaxed_field(each.results) + relaxed_field(each.message))
        name, value = each.seal
        # The field that seals, and nothing else, is taken without its b= and its line end.
        own = relaxed_field((name, SIGNATURE_VALUE.sub(b"\\1", value))).rstrip()
        digest = sealed.copy()
        digest.update(own)
        if said := _unsealed(each.seal_tags, digest.digest(), keys):
            reason = f"seal {number} of {each.seal_tags.known.domain}: {said.reason}"
            said = replace(said, reason=reason)
            if said.result is not Result.TEMPERROR:
                return said
            unknown = unknown or said
        sealed.update(relaxed_field(each.seal))
    return unknown


def _unsealed(seal: SealTags, digest: bytes, keys: dict[str, Answer]) -> Refusal | None:
    key: Key | Refusal = read_key(keys[seal.key_name], seal.known.algorithm)
    if isinstance(key, Refusal):
        return key
    return None if key.verifies(seal.value, digest) else Refusal("an ARC field was changed")
