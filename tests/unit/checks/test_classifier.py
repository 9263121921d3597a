from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from milter.checks.classifier import ClassifierCheck
from milter.checks.classifier_fields import classifier_fields, lesson_of
from milter.core.address import Mailbox
from milter.message.document import Message
from reputation.classifier.features import domain_number, locate
from reputation.classifier.model import judge, learn, new_state
from tests.support.checks import a_transaction, looked, symbols_of

if TYPE_CHECKING:
    from reputation.classifier.features import Located
    from reputation.classifier.model import State

HEAD = b"From: Ada <ada@example.net>\r\nTo: b@example.org\r\nMessage-ID: <%d@example.net>\r\n"
WANTED = b"Subject: minutes of the meeting\r\n\r\nPlease review the draft by Monday, thank you.\r\n"
UNWANTED = b"Subject: you have won\r\n\r\nClaim your lottery prize now, winner, cheap pills.\r\n"


class Fixed:
    """Weights that do not change."""

    def __init__(self, state: State | None) -> None:
        self._state = state

    def state(self) -> State | None:
        return self._state


def a_message(number: int, *, spam: bool) -> bytes:
    return HEAD % number + (UNWANTED if spam else WANTED)


@pytest.fixture(scope="module")
def taught() -> Fixed:
    state = new_state()
    for number in range(80):
        spam = number % 2 == 1
        message = Message(a_message(number, spam=spam))
        learn(state, lesson_of(message, spam=spam).features, spam=spam)
    return Fixed(state)


@pytest.mark.parametrize(
    ("spam", "symbol", "sign"),
    [
        pytest.param(True, "CLASSIFIER_SPAM_SURE", "+", id="spam"),
        pytest.param(False, "CLASSIFIER_HAM_SURE", "-", id="ham"),
    ],
)
def test_what_was_learned_is_said_with_its_reasons(
    taught: Fixed, symbol: str, sign: str, *, spam: bool
) -> None:
    evidence = looked(ClassifierCheck(taught), a_message(1000, spam=spam))

    assert symbols_of(evidence) == [symbol]
    assert evidence.facts["classifier"]["unsure"] is False  # type: ignore[index, call-overload]
    opinion, *reasons = evidence.findings[0].told.split("; ")
    assert opinion == evidence.findings[0].evidence
    assert len(reasons) == 5
    for reason in reasons:
        field, words, weight = re.fullmatch(r'(\S+) "([^"]+)" ([-+][0-9.]+)', reason).groups()  # type: ignore[union-attr]
        assert field in {"subject", "(text)"}
        assert words.encode() in (UNWANTED if spam else WANTED)
        assert weight.startswith(sign)


def test_message_is_not_read_while_nothing_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    state, message = new_state(), a_message(1, spam=True)
    opinion = judge(state, lesson_of(Message(message), spam=True).features)
    monkeypatch.setattr("milter.checks.classifier.extract", lambda *_: pytest.fail("was read"))

    evidence = looked(ClassifierCheck(Fixed(state)), message)

    assert symbols_of(evidence) == ["CLASSIFIER_UNSURE"]
    assert evidence.facts["classifier"] == opinion._asdict()


def test_reasons_are_not_worked_out_before_they_are_read(
    taught: Fixed, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_out = []

    def located(fields: dict[str, bytes]) -> Located:
        worked_out.append(fields)
        return locate(fields)

    monkeypatch.setattr("reputation.classifier.explain.locate", located)
    finding = looked(ClassifierCheck(taught), a_message(1000, spam=False)).findings[0]
    assert worked_out == []

    assert "; subject " in finding.told
    assert len(worked_out) == 1


@pytest.mark.parametrize(
    ("recipients", "own"),
    [
        pytest.param(["a@pharmacy.example", "b@PHARMACY.example"], True, id="one-domain"),
        pytest.param(["a@pharmacy.example", "b@else.example"], False, id="two-domains"),
        pytest.param(["a@else.example"], False, id="another-domain"),
    ],
)
def test_domain_of_all_recipients_has_a_say(recipients: list[str], *, own: bool) -> None:
    state, number = new_state(), domain_number("pharmacy.example")
    for seed in range(100):
        spam = seed % 2 == 1
        lesson = lesson_of(Message(a_message(seed, spam=spam)), spam=spam).features
        learn(state, lesson, spam=spam)
        learn(state, lesson, spam=not spam, domain=number)
    mailboxes = tuple(Mailbox(*one.split("@")) for one in recipients)
    txn = a_transaction()._replace(recipients=mailboxes)

    evidence = looked(ClassifierCheck(Fixed(state)), a_message(1000, spam=True), txn)

    expected = judge(
        state,
        lesson_of(Message(a_message(1000, spam=True)), spam=True).features,
        number if own else 0,
    )
    assert evidence.facts["classifier"] == expected._asdict()
    assert own == (
        expected != judge(state, lesson_of(Message(a_message(1000, spam=True)), spam=True).features)
    )


def test_who_learned_nothing_says_so() -> None:
    evidence = looked(ClassifierCheck(Fixed(new_state())), a_message(1, spam=True))

    assert symbols_of(evidence) == ["CLASSIFIER_UNSURE"]
    assert evidence.findings[0].evidence == "0 ham and 0 spam learned so far"


def test_weights_that_cannot_be_read_are_an_error() -> None:
    evidence = looked(ClassifierCheck(Fixed(None)), a_message(1, spam=True))

    assert symbols_of(evidence) == ["CLASSIFIER_ERROR"]


@pytest.mark.parametrize(
    "name", ["X-Spam-Status", "X-Gatepost-Reason", "Authentication-Results", "Delivered-To"]
)
def test_what_others_wrote_into_the_header_is_not_learned(name: str) -> None:
    plain = classifier_fields(Message(a_message(1, spam=True)))
    marked = Message(f"{name}: yes, spam\r\n".encode() + a_message(1, spam=True))

    assert classifier_fields(marked) == plain


def test_short_fields_are_read_as_text_too_and_fields_by_their_names() -> None:
    head = b"From: Ada <ada@example.net>\r\nX-Mailer: Mill 3\r\nX-Odd: thing\r\n"

    fields = classifier_fields(
        Message(head + b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello.\r\n")
    )

    words = fields.fields["(text)"].decode().split()
    assert words == ["Hello.", "Grüße", "Ada", "<ada@example.net>", "Mill", "3"]
    assert fields.fields["(fields)"] == b"from x-mailer x-odd"
    # What is read in n-grams is the beginning of the text alone.
    assert fields.disguised["(text)"].strip() == b"Hello."


def test_same_message_from_another_folder_is_the_same_lesson() -> None:
    sent = a_message(1, spam=True)
    stored = b"Return-Path: <a@example.net>\r\nX-Spam-Flag: YES\r\n" + sent

    lessons = [lesson_of(Message(data), spam=True) for data in (sent, stored)]

    assert lessons[0].digest == lessons[1].digest


@pytest.mark.parametrize("mark", [b"[SPAM] ", b"[list] "])
def test_mark_in_front_of_the_subject_makes_no_other_lesson(mark: bytes) -> None:
    sent = b"Message-ID: <1@x>\r\nSubject: Hi\r\n\r\ntext\r\n"
    copy = sent.replace(b"Hi", mark + b"Hi")

    lessons = [lesson_of(Message(data), spam=True).digest for data in (sent, copy)]
    without_id = [
        lesson_of(Message(data.partition(b"\n")[2]), spam=True).digest for data in (sent, copy)
    ]

    assert lessons[0] == lessons[1]
    # Nothing else may tell these apart.
    assert without_id[0] != without_id[1]


def test_other_text_is_another_lesson() -> None:
    one, other = (lesson_of(Message(a_message(1, spam=spam)), spam=True) for spam in (True, False))

    assert one.digest != other.digest


def test_long_fields_are_cut() -> None:
    data = b"Subject: %b\r\n\r\n%b" % (b"long " * 5000, b"text " * 50_000)

    fields = classifier_fields(Message(data)).fields

    assert sum(map(len, fields.values())) < 13_000
