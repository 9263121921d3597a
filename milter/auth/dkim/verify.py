"""From a message to a result for each of its signatures (RFC 6376 §6).

The names of all keys stand in the header, so the keys are fetched at once before anything is
verified; what remains is plain computing, and a large body is hashed on another thread.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import dkim

from milter.auth.dkim.body import BodyHash, hash_body
from milter.auth.dkim.fields import MAX_HEADER, Field, split_message
from milter.auth.dkim.key import MIN_BITS, Key, read_key, verify_rsa
from milter.auth.dkim.result import DkimResult, Refusal
from milter.auth.dkim.signature import Signature, describe, read_signature, read_tags
from milter.auth.results import Result
from milter.core.address import domain_key
from milter.core.errors import ParseError

if TYPE_CHECKING:
    from milter.dns.resolver import Answer, Resolver

# About a millisecond of hashing: above it the event loop is worth the 100 microseconds of a thread.
_THREAD_ABOVE: Final = 262_144

# The value of b=, which is left out of what is hashed (RFC 6376 §3.5). Matches what dkimpy's own
# pattern matches, which looks three ways at each character and takes ten times as long.
SIGNATURE_VALUE: Final = re.compile(
    rb"([;\s]b\s*=)(?:[\sa-zA-Z0-9+/=]*[a-zA-Z0-9+/=])?(?:\r?\n\Z)?"
)

_BodyForm = tuple[bool, int | None]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A signature that may be judged; `key` is there once it was fetched."""

    known: DkimResult
    signature: Signature
    key: Key


async def check_dkim(
    message: bytes, resolver: Resolver, *, limit: int = 10, now: int
) -> tuple[DkimResult, ...]:
    """Return a result for each of the first `limit` signatures, the topmost first.

    Args:
        message: As received, lines ended by CRLF.
        resolver: Is asked for each key once.
        limit: Signatures that are looked at; those below are as if they were not there.
        now: Seconds since 1970, for t= and x=.
    """
    try:
        fields, body_start = split_message(message)
    except ParseError as err:
        signed = b"dkim-signature:" in message[:MAX_HEADER].lower()
        return (DkimResult(Result.PERMERROR, reason=err.what),) if signed else ()
    found = [field for field in fields if field[0].lower() == b"dkim-signature"][:limit]
    if not found:
        return ()
    _install()
    read = [_read(field, now) for field in found]
    keys = await _fetch(
        {item[1].key_name for item in read if not isinstance(item, DkimResult)}, resolver
    )
    claims = [item if isinstance(item, DkimResult) else _claim(*item, keys) for item in read]
    hashes = await _hash(
        {_form(c.signature) for c in claims if isinstance(c, _Claim)}, message, body_start
    )
    return tuple(c if isinstance(c, DkimResult) else _verify(c, fields, hashes) for c in claims)


def _install() -> None:
    """Put what is faster into dkimpy; once per process, and again without effect."""
    dkim.RSASSA_PKCS1_v1_5_verify = verify_rsa
    dkim.RE_BTAG = SIGNATURE_VALUE


def _read(field: Field, now: int) -> tuple[DkimResult, Signature] | DkimResult:
    tags = read_tags(field)
    if isinstance(tags, Refusal):
        return DkimResult(tags.result, reason=tags.reason)
    known = describe(tags)
    try:
        signature = read_signature(field, tags, known, now)
    except Exception:  # noqa: BLE001 - as below: whatever escapes dkimpy is the signature's fault
        return replace(known, reason="the signature cannot be read")
    return _refused(known, signature) if isinstance(signature, Refusal) else (known, signature)


async def _fetch(names: set[str], resolver: Resolver) -> dict[str, Answer]:
    """Ask for the keys, all at once: a signature with a dead server must not delay the others."""
    if len(names) == 1:
        (name,) = names
        return {name: await resolver.resolve(name, "TXT")}
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(resolver.resolve(name, "TXT")) for name in names}
    return {name: task.result() for name, task in tasks.items()}


def _claim(known: DkimResult, signature: Signature, keys: dict[str, Answer]) -> _Claim | DkimResult:
    key = read_key(keys[signature.key_name], known.algorithm)
    if isinstance(key, Refusal):
        return _refused(known, key)
    known = replace(known, key_bits=key.bits, testing=key.testing)
    # RFC 6376 §3.6.1, t=s.
    if key.same_domain and domain_key(known.identity.rpartition("@")[2]) != known.domain:
        return _refused(known, Refusal("the key does not allow subdomains in i="))
    return _Claim(known, signature, key)


def _form(signature: Signature) -> _BodyForm:
    return signature.relaxed_body, signature.body_length


async def _hash(forms: set[_BodyForm], message: bytes, start: int) -> dict[_BodyForm, BodyHash]:
    """Return the hash of each form of the body that a signature needs, each made once."""

    def work() -> dict[_BodyForm, BodyHash]:
        return {f: hash_body(message, start, relaxed=f[0], length=f[1]) for f in forms}

    if len(message) - start > _THREAD_ABOVE and forms:
        return await asyncio.to_thread(work)
    return work()


def _verify(claim: _Claim, fields: list[Field], hashes: dict[_BodyForm, BodyHash]) -> DkimResult:
    signature, known = claim.signature, claim.known
    body = hashes[_form(signature)]
    if body.digest != signature.body_digest:
        return replace(known, result=Result.FAIL, reason="the body was changed")
    try:
        intact = _headers_intact(claim, fields)
    except Exception:  # noqa: BLE001 - hostile tags reach dkimpy's own asserts
        return replace(known, reason="the signature cannot be evaluated")
    if not intact:
        return replace(known, result=Result.FAIL, reason="a signed header was changed")
    if signature.body_length is not None and body.size > signature.body_length:
        # RFC 6376 §8.2: whatever was appended looks as if it were signed.
        return replace(
            known, result=Result.POLICY, reason="text was appended to the signed body", weak=True
        )
    return replace(known, result=Result.PASS)


def _headers_intact(claim: _Claim, fields: list[Field]) -> bool:
    """Let dkimpy verify the header hash; without bh= it leaves the body alone."""
    signature, key = claim.signature, claim.key
    names = set(signature.signed)
    verifier: Any = dkim.DKIM(minkey=MIN_BITS)
    # Only what is signed is canonicalized; the others cannot matter.
    verifier.headers = [field for field in fields if field[0].lower() in names]
    verifier.pk, verifier.keysize, verifier.ktag = key.handle, key.bits, key.kind.encode()
    tags = {name: value for name, value in signature.tags.items() if name != b"bh"}
    return bool(verifier.verify_sig_process(tags, list(signature.signed), signature.field, None))


def _refused(known: DkimResult, refusal: Refusal) -> DkimResult:
    return replace(known, result=refusal.result, reason=refusal.reason, weak=refusal.weak)
