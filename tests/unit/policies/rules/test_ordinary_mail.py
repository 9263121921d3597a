"""Turns of phrase that a rule is near to, and that ordinary mail has."""

from __future__ import annotations

import pytest

from milter.checks.patterns import PatternsCheck
from policies.loader import FileSource, read_policy
from tests.support.checks import looked, symbols_of

_CHECK = PatternsCheck(read_policy(FileSource()).policies.plan.patterns)


def found(head: str, text: str) -> list[str]:
    """Return the symbols of all shipped patterns in a message."""
    return symbols_of(looked(_CHECK, f"{head}\r\n\r\n{text}\r\n".encode()))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("EN_STRICTLY_CONFIDENTIAL", "We have complete confidence in our team."),
        ("EN_STRICTLY_CONFIDENTIAL", "Your answers stay in the strictest confidence."),
        ("EN_STRICTLY_CONFIDENTIAL", "This e-mail is strictly confidential and privileged."),
        ("EN_ONE_TIME_MAILING", "Your address was changed. No further action is required."),
        ("EN_ONE_TIME_MAILING", "It comes on Friday. Sorry for any inconvenience."),
        ("EN_DEAR_FRIEND", "Dear Sir or Madam, I apply for the post of a nurse."),
        ("EN_DEAR_FRIEND", "Dear fellow members, the pool is open."),
        ("EN_NEXT_OF_KIN", "Please name your next of kin and a bank account for your salary."),
        ("EN_BIGGER_MEMBER", "Your size is back in stock. Try the longer leg, too."),
        ("EN_BIGGER_MEMBER", "Breast cancer screening can increase the chance of a cure."),
        ("EN_BIGGER_MEMBER", "Add the chicken breasts, the larger the better."),
        ("EN_SPY_ON_ANYONE", "Your background check is complete and all is in order."),
        ("EN_SPY_ON_ANYONE", "Find out everything about our new timetable."),
        ("EN_GRANTS_AUCTIONS", "The deadline for federal grants is in June."),
        ("EN_LIFE_INSURANCE", "Your auto insurance renews in June. The premium is 612 dollars."),
        ("EN_LIFE_INSURANCE", "Ordered: one kettle, one extended warranty."),
        ("EN_LOW_MORTGAGE", "Your mortgage payment is due. The interest rate is fixed at 3%."),
    ],
)
def test_rule_of_english_leaves_ordinary_mail_alone(rule: str, text: str) -> None:
    assert rule not in found("Subject: x", text)


def test_rule_of_dutch_leaves_english_mail_about_a_casino_alone() -> None:
    text = "He never entered a casino again: not to play was the way to win."

    assert "NL_CASINO" not in found("Subject: x", text)


@pytest.mark.parametrize(
    ("rule", "author"),
    [
        ("ANY_AUTHOR_NUMBERED", "jane.doe1984@gmail.com"),
        ("ANY_AUTHOR_NUMBERED", "order20918@mail.shop.example"),
        ("ANY_AUTHOR_RANDOM", "christophermontgomery@gmail.com"),
        ("ANY_AUTHOR_RANDOM", "wgbhnews@shop.example"),
    ],
)
def test_mailbox_of_a_person_or_an_office_is_not_one_of_a_program(rule: str, author: str) -> None:
    assert rule not in found(f"From: Jane <{author}>", "Hello.")


@pytest.mark.parametrize(
    ("rule", "author"),
    [
        ("ANY_AUTHOR_NUMBERED", "jane123@gmail.com"),
        ("ANY_AUTHOR_NUMBERED", "jane.doe19845@gmail.com"),
        ("ANY_AUTHOR_NUMBERED", "jane2719x@mail.ru"),
        ("ANY_AUTHOR_RANDOM", "ab12cdef3456ghij789k@shop.example"),
        ("ANY_AUTHOR_RANDOM", "x4k9q7z@shop.example"),
        ("ANY_AUTHOR_RANDOM", "roses90349414k@shop.example"),
        ("ANY_AUTHOR_RANDOM", "qnlvr@shop.example"),
    ],
)
def test_mailbox_of_a_program_is_found(rule: str, author: str) -> None:
    assert rule in found(f"From: Jane <{author}>", "Hello.")
