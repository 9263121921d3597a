"""Checks that ask memory: what they do when it does not answer, and what is never kept waiting."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from milter.checks import known_looks
from milter.checks.greylist import GreylistCheck, is_short_lived
from milter.checks.rate import RateCheck
from milter.checks.reputation import ReputationCheck
from milter.core.address import Mailbox, parse_mailbox
from milter.core.ids import TxnId
from milter.core.transaction import Stage, Transaction
from milter.dns.fake import FakeResolver
from milter.memory import client
from milter.memory.recollection import Recollection
from milter.message.document import Message
from policies.rates import Rate
from reputation import correspondents
from reputation.memory import MemoryStore
from reputation.sqlite import SqliteStore
from reputation.store import Append, Retention
from tests.support.checks import symbols_of
from tests.support.pipeline import a_connection
from tests.support.stores import client_of

if TYPE_CHECKING:
    from pathlib import Path

TXN = Transaction(
    TxnId("T"),
    a_connection(),
    Mailbox("a", "b.example"),
    (Mailbox("trap", "ours.example"),),
    stage=Stage.MESSAGE,
)


def test_memory_that_does_not_answer_is_temperror_and_nothing_else() -> None:
    store = MemoryStore(os.urandom)
    store.close()

    async def main() -> None:
        memory = Recollection(client_of(store), traps=frozenset({"trap@ours.example"}))
        message = Message(b"From: a@b.example\r\n\r\nx\r\n")
        found = []
        for check in (ReputationCheck(memory), GreylistCheck(memory)):
            evidence = await check.combine(TXN, message, FakeResolver({}), ())
            found += symbols_of(evidence)
        assert found == ["SPAMTRAP", "REPUTATION_TEMPERROR", "GREYLIST_TEMPERROR"]
        await memory.store.close()

    asyncio.run(main())


def test_store_that_is_full_defers_no_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GATHER_S", "_PAUSE_S"):
        monkeypatch.setattr(client, name, 0.01)
    store = SqliteStore(tmp_path / "s.db", os.urandom, max_bytes=2**20)

    async def main() -> None:
        memory = Recollection(client_of(store, lambda: 1.0))
        message = Message(b"From: a@b.example\r\n\r\nx\r\n")

        async def asked() -> list[str]:
            return symbols_of(
                await GreylistCheck(memory).combine(TXN, message, FakeResolver({}), ())
            )

        async def until(*, full: bool) -> None:
            for _ in range(1000):
                if (memory.store.unwritable is not None) is full:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("it did not happen")

        large = Append("s", 1.0, b"x" * 2**18, (), Retention(1000, 2**40, 10))
        store.write([large] * 3)
        assert await asked() == ["GREYLIST_NEW"]
        memory.store.write(large)
        await until(full=True)
        # It still answers, which tells nothing about writing.
        assert await asked() == await asked() == ["GREYLIST_TEMPERROR"]
        store.erase("s", [1, 2])
        await until(full=False)
        assert await asked() == ["GREYLIST_NEW"]
        await memory.store.close()

    asyncio.run(main())


def test_each_rate_counts_a_message_to_many_recipients() -> None:
    rates = (
        Rate("TO_ONE", ("client", "recipient"), "messages", 5.0, 3600.0),
        Rate("MUCH", ("client",), "recipients", 300.0, 3600.0),
    )
    many = tuple(Mailbox(f"user{number}", "ours.example") for number in range(300))

    async def main() -> None:
        memory = Recollection(client_of(MemoryStore(os.urandom)))
        check, message = RateCheck(memory, rates), Message(b"From: a@b.example\r\n\r\nx\r\n")
        found = [
            symbols_of(await check.combine(one, message, FakeResolver({}), ()))
            for one in (TXN._replace(recipients=many), TXN)
        ]
        assert found == [[], ["MUCH"]]
        await memory.store.close()

    asyncio.run(main())


def looks_of(author: str, written_to: str = "Jane Roe <jane@contractor.example>") -> list[str]:
    """Return whom an author looks like, once one of ours wrote to somebody."""
    store = MemoryStore(os.urandom)
    sent = Message(f"From: joe@ours.example\r\nTo: {written_to}\r\n\r\nx".encode())
    there = parse_mailbox(written_to.rpartition("<")[2].rstrip(">"))
    txn = TXN._replace(mail_from=Mailbox("joe", "ours.example"), recipients=(there,))
    secret = correspondents.secret_of(store)
    domains, people = known_looks.domains_written_to(txn), known_looks.people_written_to(sent)
    store.write([*correspondents.traced(secret, "ours.example", 1, domains, 0.0)])
    store.write([*correspondents.traced(secret, "joe@ours.example", 1, people, 0.0)])
    comes = TXN._replace(recipients=(Mailbox("joe", "ours.example"),))
    message = Message(f"From: {author}\r\n\r\nx".encode())
    found = known_looks.look(store, comes, message, is_known=False, now=1.0)
    return [finding.symbol for finding in found]


@pytest.mark.parametrize(
    ("author", "symbols"),
    [
        pytest.param("a@contractor.example", [], id="themselves"),
        pytest.param("a@mail.contractor.example", [], id="a-host-of-theirs"),
        pytest.param("a@c0ntractor.example", ["LOOKALIKE_KNOWN_HIGH"], id="letters"),
        pytest.param("a@contractоr.example", ["LOOKALIKE_KNOWN_HIGH"], id="cyrillic"),
        pytest.param("a@controctor.example", ["LOOKALIKE_KNOWN_HIGH"], id="another-letter"),
        pytest.param("a@contracto.example", ["LOOKALIKE_KNOWN_HIGH"], id="a-letter-less"),
        pytest.param("a@contracttor.example", ["LOOKALIKE_KNOWN_HIGH"], id="a-letter-more"),
        pytest.param("a@contracotr.example", ["LOOKALIKE_KNOWN_HIGH"], id="two-swapped"),
        pytest.param("a@contractor-pay.example", ["LOOKALIKE_KNOWN_MEDIUM"], id="words"),
        pytest.param("a@mycontractor.example", ["LOOKALIKE_KNOWN_MEDIUM"], id="words-before"),
        pytest.param("a@contractor.com", ["LOOKALIKE_KNOWN_LOW"], id="suffix"),
        pytest.param("a@builder.example", [], id="somebody-else"),
        pytest.param(
            "a@builder.example\r\nReply-To: a@c0ntractor.example",
            ["LOOKALIKE_KNOWN_HIGH"],
            id="reply-to",
        ),
        pytest.param("a@ours.example", [], id="one-of-us"),
        pytest.param('"ROE, Jane" <a@b.example>', ["FROM_NAME_KNOWN"], id="name"),
        pytest.param("Jane <a@b.example>", [], id="first-name-alone"),
    ],
)
def test_author_who_looks_like_a_correspondent_is_told(author: str, symbols: list[str]) -> None:
    assert looks_of(author) == symbols


@pytest.mark.parametrize(
    ("subject", "text", "short"),
    [
        pytest.param("Your code is 482 913", "", True, id="code-in-the-subject"),
        pytest.param("Verify your login", "Enter X7K2P9 soon", True, id="code-in-the-text"),
        pytest.param("您的验证码", "482913", True, id="chinese"),
        pytest.param("رمز التحقق", "482913", True, id="arabic"),
        pytest.param("Your code of conduct", "Please read it", False, id="no-code"),
        pytest.param("Invoice 482913", "482913", False, id="a-number-alone"),
        pytest.param("Confirm PLEASE", "EVERYBODY SHOUTS", False, id="capitals-are-no-code"),
    ],
)
def test_short_lived_is_a_code_with_a_word_that_says_so(
    subject: str, text: str, *, short: bool
) -> None:
    raw = f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"

    assert is_short_lived(Message(raw.encode())) is short


def test_short_lived_reads_no_more_than_the_beginning() -> None:
    raw = b"Subject: code " + b"1-" * 500_000 + b"\r\n\r\n" + b"1 " * 500_000

    assert not is_short_lived(Message(raw))
