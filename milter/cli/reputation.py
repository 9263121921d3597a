"""`gatepost reputation`: what is remembered of somebody; forget it, or take all of it away."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from milter.cli.options import configuration_option
from milter.cli.stores import opened_store
from milter.memory.recollection import subject_secret
from milter.message.document import Message
from milter.message.lines import with_crlf
from policies.mailboxes import plain_address
from reputation import correspondents, standing
from reputation.history import forgetting
from reputation.subjects import Kind, Subject, mentioned, parse_subjects, plain_ip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reputation.history.forgetting import Forgotten
    from reputation.standing import Standing
    from reputation.store import Store

_FILE = configuration_option("Configuration that names the store")
_SPACES: Final = (standing.SPACE, standing.RECENT_SPACE)
_AT_ONCE: Final = 500
_BOTH: Final = "the store has hashes alone: name both mailboxes, with a blank between them"


@click.group(help="What is remembered of whom mail came from.")
def reputation() -> None:
    """Hold the commands below it."""


@reputation.command()
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_FILE
def show(subject: str, path: str | None, *, as_json: bool) -> None:
    """Print the standing of SUBJECT.

    An address, a network (/24 or /64), a domain, a mailbox (whom it exchanges mail with), two
    mailboxes with a blank between them, or a kind and a name such as `author_domain:example.org`.
    """
    subject = _plain(subject)
    names = _names(subject)
    with _store(path) as (store, secret):
        if _is_mailbox(names) and secret is not None:
            raise click.UsageError(_BOTH)
        subjects = _meant(store, subject)
        found = standing.standings(store, subjects, secret, time.time())
    if as_json:
        told = [_as_json(one, said) for one, said in found.items() if said.known]
        click.echo(json.dumps(told, indent=2))
        return
    for one, said in found.items():
        click.echo(_line(one, said))
    if not subjects:
        click.echo(f"{subject}: nothing is known")


@reputation.command()
@click.argument("subject")
@click.option("--keep-history", is_flag=True, help="Forget the standing alone.")
@_FILE
def forget(subject: str, path: str | None, *, keep_history: bool) -> None:
    """Forget SUBJECT: its standing, and what the history has of it.

    Written as for `show`, or one mailbox. Every record that names it is erased, and every kept
    message that does: mail from it, to it, and what mentions it. With a kind before it, such as
    `author_domain:example.org`, only that standing is forgotten.
    """
    subject = _plain(subject)
    names = _names(subject)
    with _store(path) as (store, secret):
        for one in _meant(store, subject):
            known = _forgotten(store, one)
            click.echo(f"{one}: {'forgotten' if known else 'nothing was known'}")
        if names and not keep_history:
            said = _told(forgetting.forget(store, *names, read=_read))
            click.echo(f"{' and '.join(names)}: {said}")
        # Where keys are hashes nobody can look for one mailbox in them.
        if secret is not None and _is_mailbox(names):
            click.echo(f"{subject}: {_BOTH}")


def _plain(text: str) -> str:
    """Return what people write for somebody in the spelling in which it is kept."""
    kind, colon, _ = text.strip().lower().partition(":")
    if "/" in text or (colon and kind in set(Kind)):
        return text
    return " ".join(plain_ip(plain_address(word.strip("<>"))) for word in text.split())


def _read(message: bytes) -> str:
    """Return header and texts of a message, decoded."""
    read = Message(with_crlf(message))
    return f"{read.header_text}\n{read.body}"


def _names(text: str) -> tuple[str, ...]:
    """Return how messages mention whom `text` means, whose spelling is told before any store."""
    names = mentioned(text)
    if not _is_mailbox(names):
        _subjects(text)
    return names


def _meant(store: Store, text: str) -> tuple[Subject, ...]:
    """Return whom `text` means; of one mailbox the pairs that are known."""
    names = mentioned(text)
    return tuple(_pairs_of(store, names[0])) if _is_mailbox(names) else _subjects(text)


def _is_mailbox(names: tuple[str, ...]) -> bool:
    return len(names) == 1 and "@" in names[0]


def _forgotten(store: Store, subject: Subject) -> bool:
    """Forget all that is known of `subject`; return whether there was anything."""
    # Before `memory.subjects` was set to what it is now, its key was the other one.
    keys = [subject.key(subject_secret(store, hashed=hashed)) for hashed in (False, True)]
    known = sum(store.forget(space, keys) for space in _SPACES)
    if subject.kind is Kind.PAIR:
        one, _, other = subject.name.partition(" ")
        known += correspondents.forget(store, one, other)
    return known > 0


def _pairs_of(store: Store, mailbox: str) -> Iterator[Subject]:
    """Yield the pairs of mailboxes one of which is `mailbox`, where keys are readable."""
    start = f"{Kind.PAIR}:".encode()
    for key in store.keys(standing.SPACE):
        pair = key.removeprefix(start).decode("utf-8", "surrogateescape")
        if key.startswith(start) and mailbox in pair.split(" "):
            yield Subject(Kind.PAIR, pair)


def _told(forgotten: Forgotten) -> str:
    said = (
        f"{forgotten.records:,} records and {forgotten.messages:,} messages of the history erased"
    )
    if forgotten.unreadable:
        said += f"; {forgotten.unreadable:,} that cannot be read were left"
    return said


@reputation.command()
@_FILE
def export(path: str | None) -> None:
    """Print every standing, one JSON object a line.

    Where `memory.subjects` is `hashed` the names are hashes: nothing else is kept.
    """
    now = time.time()
    with _store(path) as (store, _):
        keys = store.keys(standing.SPACE)
        while some := list(islice(keys, _AT_ONCE)):
            for key, said in standing.by_key(store, some, now).items():
                click.echo(json.dumps({"subject": _readable(key), **_figures(said)}))


def _subjects(text: str) -> tuple[Subject, ...]:
    try:
        return parse_subjects(text)
    except ValueError as err:
        raise click.UsageError(f"SUBJECT needs {err}, not '{text}'") from err


@contextmanager
def _store(path: str | None) -> Iterator[tuple[Store, bytes | None]]:
    """Give the store that the configuration names, and what subjects are hashed with."""
    with opened_store(path) as (store, settings):
        yield store, subject_secret(store, hashed=settings.memory.subjects == "hashed")


def _line(subject: Subject, said: Standing) -> str:
    if not said.known:
        return f"{subject}: nothing is known"
    word = "trusted" if said.trusted else "bad" if said.bad else "neither trusted nor bad"
    seen = time.strftime("%Y-%m-%d", time.gmtime(said.first_at))
    return (
        f"{subject}: {word}; score {said.score:+.2f}, confidence {said.confidence:.2f},"
        f" {said.count:.0f} messages since {seen}"
    )


def _as_json(subject: Subject, said: Standing) -> dict[str, object]:
    return {"subject": str(subject), **_figures(said)}


def _figures(said: Standing) -> dict[str, object]:
    return {
        "score": round(said.score, 4),
        "confidence": round(said.confidence, 4),
        "count": round(said.count, 2),
        "recent_bad": round(said.recent_bad, 2),
        "trusted": said.trusted,
        "bad": said.bad,
        "first_at": said.first_at,
    }


def _readable(key: bytes) -> str:
    """Return a key as text: what it says, or a hash in hexadecimal."""
    text = key.decode("utf-8", errors="replace")
    return text if ":" in text and text.isprintable() else key.hex()
