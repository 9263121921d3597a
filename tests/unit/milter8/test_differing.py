"""Recipients under different policies, at a door that has one message for all of them."""

from __future__ import annotations

import pytest

from tests.support import milter_packets as mta
from tests.support.milter_session import Dialog, a_door, in_a_loop

BEGIN = mta.offer() + mta.connect() + mta.helo() + mta.mail()
POLICY = """\
version: 1
name: site
thresholds: {tag: 5, quarantine: 8, reject: 12}
weights: {GTUBE: 100}
overrides:
  - {match: {recipient: lenient@example.org}, weights: {GTUBE: 0}}
  - {match: {recipient: marked@example.org}, weights: {GTUBE: 9}}
  - match: {recipient: sorted@example.org}
    weights: {GTUBE: 9}
    actions: {quarantine: {as: redirect, to: spam@example.org}}
  - match: {recipient: collector@example.org}
    weights: {GTUBE: 9}
    actions: {quarantine: {as: redirect, to: collector@example.org}}
"""


async def _answered(mode: str, *recipients: str, hold: bool = False) -> list[mta.Answer]:
    """Return what is answered to the end of a GTUBE that goes to `recipients`, all taken."""
    listener = {"differing_recipients": mode, "hold_quarantined": hold}
    dialog = Dialog(a_door(policy=POLICY, listener=listener))
    said = await dialog.say(BEGIN + b"".join(mta.rcpt(f"<{name}>") for name in recipients))
    assert mta.letters(said) == "O" + "c" * len(recipients)
    _, *answers = mta.answers(await dialog.say(mta.content(mta.GTUBE)))
    return answers


def _inserted(answers: list[mta.Answer], name: bytes) -> list[bytes]:
    words = [answer.data[4:].split(b"\0") for answer in answers if answer.letter == "i"]
    return [value.strip() for field, value, _ in words if field == name]


def _moved(answers: list[mta.Answer]) -> list[tuple[str, bytes]]:
    return [(answer.letter, answer.data) for answer in answers if answer.letter in "+2-"]


@in_a_loop
async def test_mode_quarantine_sends_it_to_all_with_the_mark_of_the_severest() -> None:
    answers = await _answered("quarantine", "bob@example.org", "lenient@example.org")
    assert answers[-1].letter == "c"
    assert _inserted(answers, b"X-Gatepost-Action") == [b"quarantine"]
    assert _moved(answers) == []


@in_a_loop
async def test_mode_quarantine_where_all_are_refused_refuses() -> None:
    (answer,) = await _answered("quarantine", "bob@example.org", "eve@example.org")
    assert answer.data.startswith(b"550 5.7.1 ")


@in_a_loop
async def test_mode_quarantine_moves_it_away_from_those_alone_whose_policy_wants_that() -> None:
    answers = await _answered("quarantine", "sorted@example.org", "lenient@example.org")
    assert _moved(answers) == [("+", b"<spam@example.org>\0"), ("-", b"<sorted@example.org>\0")]
    # Who keeps it is not told for whom else it was.
    assert _inserted(answers, b"X-Gatepost-Recipients") == []
    assert answers[-1].letter == "c"


@pytest.mark.parametrize(
    ("recipients", "moved"),
    [
        pytest.param(["collector@example.org"], [], id="alone"),
        pytest.param(
            ["Collector@Example.org", "sorted@example.org"],
            [("+", b"<spam@example.org>\0"), ("-", b"<sorted@example.org>\0")],
            id="beside-one-with-another-target",
        ),
        pytest.param(
            ["spam@example.org", "sorted@example.org"],
            [("-", b"<sorted@example.org>\0")],
            id="beside-one-who-is-redirected-to-him",
        ),
    ],
)
@in_a_loop
async def test_who_a_message_is_redirected_to_does_not_lose_it(
    recipients: list[str], moved: list[tuple[str, bytes]]
) -> None:
    answers = await _answered("quarantine", *recipients)
    assert _moved(answers) == moved
    assert answers[-1].letter == "c"


@pytest.mark.parametrize(
    ("offer", "version", "added"),
    [
        pytest.param(
            mta.offer(),
            "Postfix 3.7.11",
            ("2", b"<spam@example.org>\0NOTIFY=NEVER\0"),
            id="postfix",
        ),
        # It drops the recipient where it allows no DSN.
        pytest.param(mta.offer(), "8.17.1", ("+", b"<spam@example.org>\0"), id="sendmail"),
        pytest.param(
            mta.offer(*mta.OFFER_2), "Postfix 2.3.3", ("+", b"<spam@example.org>\0"), id="cannot"
        ),
    ],
)
@in_a_loop
async def test_nobody_gets_a_report_about_the_address_of_a_redirect(
    offer: bytes, version: str, added: tuple[str, bytes]
) -> None:
    dialog = Dialog(a_door(policy=POLICY))
    client = mta.macros("C", v=version) + mta.connect() + mta.helo()
    await dialog.say(offer + client + mta.mail() + mta.rcpt("<sorted@example.org>"))
    answers = mta.answers(await dialog.say(mta.content(mta.GTUBE)))
    assert _moved(answers) == [added, ("-", b"<sorted@example.org>\0")]


@pytest.mark.parametrize(
    ("recipients", "held"),
    [
        pytest.param(["marked@example.org"], True, id="for-all"),
        pytest.param(["marked@example.org", "lenient@example.org"], False, id="for-one-of-two"),
    ],
)
@in_a_loop
async def test_mail_server_holds_what_is_quarantined_for_all(
    recipients: list[str], *, held: bool
) -> None:
    answers = await _answered("quarantine", *recipients, hold=True)
    assert ("q" in [answer.letter for answer in answers]) == held
    assert _inserted(answers, b"X-Gatepost-Action") == [b"quarantine"]


@in_a_loop
async def test_mode_strictest_refuses_it_for_all() -> None:
    (answer,) = await _answered("strictest", "lenient@example.org", "bob@example.org")
    assert answer.data.startswith(b"550 5.7.1 ")


@pytest.mark.parametrize("mode", ["separate", "quarantine", "strictest"])
@in_a_loop
async def test_postmaster_carries_nothing_past_the_filter(mode: str) -> None:
    dialog = Dialog(a_door(policy=POLICY, listener={"differing_recipients": mode}))
    await dialog.say(BEGIN + mta.rcpt("<postmaster@example.org>"))
    (answer,) = mta.answers(await dialog.say(mta.rcpt()))
    assert answer.data.startswith(b"452 4.5.3 ")


@pytest.mark.parametrize(
    "path",
    [
        "<sorted@example.org,>",
        "<sorted@example.org;>",
        "<<sorted@example.org>>",
        "<sorted(a)@example.org>",
        "<sorted @example.org>",
        "<@relay.example:sorted@example.org>",
        "<@relay.example:sorted>",
    ],
)
@in_a_loop
async def test_recipient_whom_the_mail_server_may_know_by_another_name_is_refused(
    path: str,
) -> None:
    dialog = Dialog(a_door(policy=POLICY))
    await dialog.say(BEGIN)
    (answer,) = mta.answers(await dialog.say(mta.rcpt(path)))
    assert answer.data.startswith(b"553 5.1.3 ")


@pytest.mark.parametrize(
    "path",
    [
        "<sorted>",
        "sorted@example.org",
        '<"a b"@example.org>',
        "<a.@example.org>",
        "<a..b@example.org>",
        "<\u5468@example.org>",
        "<a@[192.0.2.1]>",
    ],
)
@in_a_loop
async def test_recipient_who_is_odd_but_clear_is_taken(path: str) -> None:
    dialog = Dialog(a_door(policy=POLICY))
    assert mta.letters(await dialog.say(BEGIN + mta.rcpt(path))) == "Oc"
