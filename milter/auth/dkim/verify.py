"""From a message to a result for each of its signatures (RFC 6376 §6).

The names of all keys stand in the header, so the keys are fetched at once before anything is
verified; what remains is plain computing, and a large body is hashed on another thread.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from milter.auth.dkim.body import BodyHash, hash_body
from milter.auth.dkim.fields import MAX_HEADER, split_message
from milter.auth.dkim.header import by_name, header_digest
from milter.auth.dkim.key import Key, read_key
from milter.auth.dkim.result import DkimResult, Refusal
from milter.auth.dkim.signature import Signature, describe, read_signature, read_tags
from milter.auth.results import Result
from milter.core.address import domain_key
from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from milter.auth.dkim.fields import Field
    from milter.auth.dkim.header import FieldsByName
    from milter.auth.dkim.signature import BodyForm
    from milter.dns.resolver import Answer, Resolver

    Hashes = dict[BodyForm, BodyHash]

# About a millisecond of hashing: above it the event loop is worth the 100 microseconds of a thread.
_THREAD_ABOVE: Final = 262_144
_MAX_NAME: Final = 253
# As many as there are signatures to look at. Fifty seals with keys on silent name servers would
# hold a tenth of the places that the worker has for questions, and ten such messages all of them.
_KEYS_AT_ONCE: Final = 10
# Far more than DMARC judges.
_MOST_AUTHORS: Final = 32
# Of these readers show or obey one, and not all of them the lowest, which is the signed one.
# A second Content-Type makes another text of the same octets.
_SINGLE: Final = (
    *(b"from", b"subject", b"to", b"cc", b"reply-to", b"sender", b"date", b"message-id"),
    *(b"mime-version", b"content-type", b"content-transfer-encoding"),
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A signature that may be judged, with its key."""

    known: DkimResult
    signature: Signature
    key: Key


async def check_dkim(
    message: bytes,
    resolver: Resolver,
    *,
    limit: int = 10,
    now: int,
    authors: Sequence[str] = (),
    wait_s: float | None = None,
) -> tuple[DkimResult, ...]:
    """Return a result for each signature that is looked at, the topmost first.

    Args:
        message: As received, lines ended by CRLF.
        resolver: Is asked for each key once.
        limit: Signatures that are looked at; the others are as if they were not there.
        now: Seconds since 1970, for t= and x=.
        authors: Domains whose signatures come before others where there are more than `limit`.
        wait_s: Seconds after which a large body is not waited for any longer; None: always.
            Whose header does not hold, or who has no key, is not in doubt then.
    """
    until = None if wait_s is None else asyncio.get_running_loop().time() + wait_s
    try:
        fields, body_start = split_message(message)
    except ParseError as err:
        signed = b"dkim-signature:" in message[:MAX_HEADER].lower()
        return (DkimResult(Result.PERMERROR, reason=err.what),) if signed else ()
    named = by_name(fields)
    found = named.get(b"dkim-signature", [])
    if not found:
        return ()
    read = [_read(field, now) for field in _chosen(found, limit, authors)]
    names = {item[1].key_name for item in read if not isinstance(item, DkimResult)}
    keys = await fetch_keys(names, resolver)
    claims = [item if isinstance(item, DkimResult) else _claim(*item, keys) for item in read]
    forms = {claim.signature.body_form for claim in claims if isinstance(claim, _Claim)}
    hashes = await _hashed_until(until, forms, message, body_start)
    return tuple(c if isinstance(c, DkimResult) else _verify(c, named, hashes) for c in claims)


def claimed_signers(
    message: bytes, *, limit: int = 10, authors: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the domains whose signatures `check_dkim` would look at, each once, unverified."""
    try:
        fields, _ = split_message(message)
    except ParseError:
        return ()
    found = by_name(fields).get(b"dkim-signature", [])
    signers = map(_signer, _chosen(found, limit, authors))
    return tuple(dict.fromkeys(filter(None, signers)))


def _chosen(found: Sequence[Field], limit: int, authors: Sequence[str]) -> Sequence[Field]:
    """Return the signatures to look at, in their order: those that matter most if not all."""
    if len(found) <= limit:
        return found
    # Looked up, not compared: a header has room for a thousand authors and as many signatures.
    own = frozenset(authors[:_MOST_AUTHORS])
    above = frozenset(name for author in own for name in _names_up(author))
    ranks = sorted(range(len(found)), key=lambda place: (_rank(found[place], own, above), place))
    return [found[place] for place in sorted(ranks[:limit])]


def _rank(field: Field, authors: frozenset[str], above: frozenset[str]) -> int:
    """Return 0 for a signature of an author's domain, 1 for one related to it, 2 for others."""
    domain = _signer(field)
    if domain in authors:
        return 0
    return 1 if domain in above or not authors.isdisjoint(_names_up(domain)) else 2


def _signer(field: Field) -> str:
    tags = read_tags(field)
    return "" if isinstance(tags, Refusal) else describe(tags).domain


def _names_up(domain: str) -> Iterator[str]:
    """Yield `domain` and all above it; nothing of what is too long for a name (RFC 1035 §2.3.4)."""
    while domain and len(domain) <= _MAX_NAME:
        yield domain
        domain = domain.partition(".")[2]


def _read(field: Field, now: int) -> tuple[DkimResult, Signature] | DkimResult:
    tags = read_tags(field)
    if isinstance(tags, Refusal):
        return DkimResult(tags.result, reason=tags.reason)
    known = describe(tags)
    signature = read_signature(field, tags, known, now)
    return _refused(known, signature) if isinstance(signature, Refusal) else (known, signature)


async def fetch_keys(names: set[str], resolver: Resolver) -> dict[str, Answer]:
    """Ask for the keys, ten at once: a signature with a dead server must not delay the others."""
    if len(names) == 1:
        (name,) = names
        return {name: await resolver.resolve(name, "TXT")}
    places = asyncio.Semaphore(_KEYS_AT_ONCE)

    async def ask(name: str) -> Answer:
        async with places:
            return await resolver.resolve(name, "TXT")

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(ask(name)) for name in names}
    return {name: task.result() for name, task in tasks.items()}


def _claim(known: DkimResult, signature: Signature, keys: dict[str, Answer]) -> _Claim | DkimResult:
    key = read_key(keys[signature.key_name], signature.algorithm)
    if isinstance(key, Refusal):
        return _refused(known, key)
    known = replace(known, key_bits=key.bits, testing=key.testing)
    # RFC 6376 §3.6.1, t=s.
    if key.same_domain and domain_key(known.identity.rpartition("@")[2]) != known.domain:
        return _refused(known, Refusal("the key does not allow subdomains in i="))
    return _Claim(known, signature, key)


async def hash_bodies(forms: Iterable[BodyForm], message: bytes, start: int) -> Hashes:
    """Return the hash of each form of the body that a signature needs, each made once."""
    lengths: dict[bool, list[int | None]] = {}
    for relaxed, length in forms:
        lengths.setdefault(relaxed, []).append(length)
    if not lengths:
        return {}

    def work() -> Hashes:
        return {
            (relaxed, length): body_hash
            for relaxed, cuts in lengths.items()
            for length, body_hash in hash_body(
                message, start, relaxed=relaxed, lengths=cuts
            ).items()
        }

    if len(message) - start > _THREAD_ABOVE:
        return await asyncio.to_thread(work)
    return work()


async def _hashed_until(
    until: float | None, forms: Iterable[BodyForm], message: bytes, start: int
) -> Hashes:
    """Return the hashes of the body; none where they are not there in time."""
    try:
        async with asyncio.timeout_at(until):
            return await hash_bodies(forms, message, start)
    except TimeoutError:
        return {}


def _verify(claim: _Claim, fields: FieldsByName, hashes: Hashes) -> DkimResult:
    signature, known = claim.signature, claim.known
    body = hashes.get(signature.body_form)
    length = signature.body_form[1]
    if body and length is not None and length > body.size:
        # RFC 6376 §3.5: it must not be; a signer's mistake, or text that was taken away.
        return _refused(known, Refusal("the signature's l= is more than the body"))
    if body and body.digest != signature.body_digest:
        return replace(known, result=Result.FAIL, reason="the body was changed")
    digest = header_digest(
        fields, signature.signed, signature.field, relaxed=signature.relaxed_header
    )
    if not claim.key.verifies(signature.value, digest):
        return replace(known, result=Result.FAIL, reason="a signed header was changed")
    if body is None:
        return replace(known, result=Result.TEMPERROR, reason="no time for the body")
    if reason := why_weak(signature, fields, body):
        return replace(known, result=Result.POLICY, reason=reason, weak=True)
    partly = "" if length is None else f"l= covers the body's {length} octets, not what may follow"
    return replace(known, result=Result.PASS, reason=partly)


def why_weak(signature: Signature, fields: FieldsByName, body: BodyHash) -> str:
    """Return in words why a signature that holds does not cover what a reader sees; else empty."""
    length = signature.body_form[1]
    if length is not None and body.size > length:
        # RFC 6376 §8.2: whatever was appended looks as if it were signed.
        return "text was appended to the signed body"
    covered = Counter(signature.signed)
    for name in _SINGLE:
        # RFC 6376 §8.15: one that was added after signing is shown by some readers.
        if 0 < covered[name] < len(fields.get(name, ())):
            return f"a {name.decode().title()} was added that is not signed"
    return ""


def _refused(known: DkimResult, refusal: Refusal) -> DkimResult:
    return replace(known, result=refusal.result, reason=refusal.reason, weak=refusal.weak)
