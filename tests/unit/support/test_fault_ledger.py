"""The rules of the table of faults find what they are there to find."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.fault_ledger import IN_PART, UNKNOWN, Kind, check, to_try_again
from tests.support.serial_client import Attempt, SerialMessage

if TYPE_CHECKING:
    from tests.support.serial_client import Stage

A, B = "a@first.example.org", "b@second.example.org"
PAIR = SerialMessage("pair-1", (A, B), retries=True)
_MAIL: tuple[tuple[Stage, bytes], ...] = (("mail", b"250 Ok"), ("rcpt", b"250 Ok"))
STRICT = Kind("strict", lambda attempt: not attempt.told)
WINDOW = Kind("window", lambda attempt: not attempt.told, frozenset({A, B}))
PARTIAL = Kind("partial", lambda attempt: not attempt.told, in_part=True)


def a_try(final: bytes = b"", *, lost: Stage | None = None) -> Attempt:
    """Return a try for both recipients that came to the final dot."""
    replies: list[tuple[Stage, bytes]] = [*_MAIL, ("rcpt", b"250 Ok"), ("data", b"354 Go")]
    if final:
        replies.append(("final", final))
    told = (A, B) if final.startswith(b"250") else ()
    return Attempt(PAIR, (A, B), replies, [A, B], told, dot_sent=True, lost=lost)


def copies(first: int, second: int) -> Counter[tuple[str, str]]:
    return Counter({("pair-1", A): first, ("pair-1", B): second})


@pytest.mark.parametrize(
    ("kind", "tries", "found"),
    [
        pytest.param(STRICT, [a_try(b"250 Ok")], (1, 1), id="told-and-there"),
        pytest.param(STRICT, [a_try(b"451 No")], (0, 0), id="not-told-and-absent"),
        pytest.param(STRICT, [a_try(b"451 No"), a_try(b"250 Ok")], (1, 1), id="second-try"),
        pytest.param(WINDOW, [a_try(lost="final")], (1, 0), id="lost-in-the-window"),
        pytest.param(
            WINDOW, [a_try(UNKNOWN), a_try(b"250 Ok")], (2, 1), id="doubled-in-the-window"
        ),
        pytest.param(PARTIAL, [a_try(IN_PART)], (1, 0), id="served-in-part"),
        pytest.param(PARTIAL, [a_try(IN_PART), a_try(b"250 Ok")], (1, 1), id="part-not-repeated"),
    ],
)
def test_check_what_is_allowed_breaks_no_rule(
    kind: Kind, tries: list[Attempt], found: tuple[int, int]
) -> None:
    assert check(kind, tries, copies(*found)).broken == []


@pytest.mark.parametrize(
    ("kind", "tries", "found"),
    [
        pytest.param(STRICT, [a_try(b"250 Ok")], (1, 0), id="told-and-lost"),
        pytest.param(STRICT, [a_try(b"250 Ok")], (1, 2), id="told-and-doubled"),
        pytest.param(STRICT, [a_try(lost="final")], (0, 1), id="not-told-where-no-window-is"),
        pytest.param(WINDOW, [a_try(b"250 Ok")], (1, 0), id="told-and-lost-beside-a-window"),
        pytest.param(WINDOW, [a_try(b"451 No")], (0, 1), id="a-clear-no-is-no-window"),
        pytest.param(WINDOW, [a_try(lost="data")], (0, 1), id="lost-before-the-message-was-sent"),
        pytest.param(WINDOW, [a_try(UNKNOWN)], (0, 2), id="twice-in-one-window"),
        pytest.param(PARTIAL, [a_try(IN_PART), a_try(IN_PART)], (2, 0), id="part-repeated"),
        pytest.param(PARTIAL, [a_try(IN_PART), a_try(b"250 Ok")], (2, 1), id="part-doubled"),
    ],
)
def test_check_what_is_not_allowed_breaks_one_rule(
    kind: Kind, tries: list[Attempt], found: tuple[int, int]
) -> None:
    assert len(check(kind, tries, copies(*found)).broken) == 1


def test_check_message_that_nobody_sent_is_named() -> None:
    row = check(STRICT, [a_try(b"250 Ok")], copies(1, 1) + Counter({("torn", A): 1}))

    assert row.broken == [f"(torn, {A}): nobody sent that"]


def test_check_message_that_met_the_fault_twice_counts_once() -> None:
    row = check(STRICT, [a_try(b"451 No"), a_try(b"451 No")], copies(0, 0))

    assert (row.messages, row.tries, row.met) == (1, 2, 1)


@pytest.mark.parametrize(
    ("attempt", "again"),
    [
        pytest.param(a_try(b"451 No"), (A, B), id="4xx"),
        pytest.param(a_try(lost="final"), (A, B), id="lost"),
        pytest.param(a_try(b"554 No"), (), id="5xx"),
        pytest.param(a_try(b"250 Ok"), (), id="told"),
    ],
)
def test_to_try_again_sends_what_was_neither_told_nor_refused(
    attempt: Attempt, again: tuple[str, ...]
) -> None:
    expected = [(PAIR, again)] if again else []
    assert list(to_try_again([PAIR], [attempt])) == expected


def test_to_try_again_recipient_refused_for_now_comes_alone() -> None:
    replies: list[tuple[Stage, bytes]] = [*_MAIL, ("rcpt", b"450 No"), ("data", b"354 Go")]
    replies.append(("final", b"250 Ok"))
    attempt = Attempt(PAIR, (A, B), replies, [A], (A,), dot_sent=True)

    assert list(to_try_again([PAIR], [attempt])) == [(PAIR, (B,))]
