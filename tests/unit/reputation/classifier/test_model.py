from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reputation.classifier.explain import Read, heaviest
from reputation.classifier.features import Features, domain_number, extract
from reputation.classifier.model import (
    State,
    contributions,
    judge,
    knows_domain,
    learn,
    margin,
    new_state,
)
from tests.support.lessons import UNWANTED, WANTED, features_of, fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def taught(lessons: int, wrong_every: int = 0) -> State:
    state = new_state()
    for seed in range(lessons):
        spam = seed % 2 == 1
        wrong = bool(wrong_every) and seed % wrong_every == 0
        learn(state, features_of(spam=spam, seed=seed), spam=spam != wrong)
    return state


def test_who_learned_nothing_is_unsure() -> None:
    opinion = judge(new_state(), features_of(spam=True, seed=1))

    assert opinion == (0.5, 0.0, True)


def test_who_learned_one_kind_only_is_unsure() -> None:
    state = new_state()
    for seed in range(100):
        learn(state, features_of(spam=True, seed=seed), spam=True)

    assert judge(state, features_of(spam=True, seed=1000)).unsure


def test_new_messages_are_judged_after_a_hundred_lessons() -> None:
    state = taught(100)

    spam, ham = (judge(state, features_of(spam=spam, seed=1000)) for spam in (True, False))

    assert spam.probability > 0.9
    assert ham.probability < 0.1
    assert not spam.unsure
    assert spam.confidence > 0.5


def test_of_what_is_wholly_new_it_is_unsure() -> None:
    features = extract({"(text)": b"xylophone quartz zephyr jukebox"}, {})

    assert judge(taught(100), features).unsure


def test_message_without_features_has_no_verdict() -> None:
    assert judge(taught(100), extract({}, {})).unsure


@pytest.mark.parametrize("wrong_every", [101, 21, 11])
def test_wrong_labels_now_and_then_do_not_turn_verdicts(wrong_every: int) -> None:
    state = taught(1000, wrong_every)

    for seed in range(5000, 5050):
        assert judge(state, features_of(spam=True, seed=seed)).probability > 0.5
        assert judge(state, features_of(spam=False, seed=seed)).probability < 0.5


def test_equal_lessons_give_equal_states() -> None:
    one, other = taught(50), taught(50)

    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.numbers, other.numbers)


def test_lessons_are_counted_by_label() -> None:
    state = taught(7)

    assert (state.ham, state.spam) == (4, 3)


def test_reasons_name_the_words_that_spoke_for_spam() -> None:
    state, fields = taught(200), fields_of(spam=True, seed=1000)

    reasons = heaviest(state, Read(fields, {}, extract(fields, {})), spam=True)

    assert len(reasons) == 5
    assert all(" +" in reason for reason in reasons)
    assert any(word in reasons[0] for word in UNWANTED)


def test_nothing_speaks_for_spam_where_nothing_was_learned() -> None:
    fields = fields_of(spam=True, seed=1)

    assert heaviest(new_state(), Read(fields, {}, extract(fields, {})), spam=True) == ()


def taught_texts(spam: Mapping[str, bytes], ham: Mapping[str, bytes]) -> tuple[State, Read]:
    """Return what is known after ten lessons of each, and the spam as it was read."""
    state = new_state()
    reads = [Read(fields, fields, extract(fields, fields)) for fields in (ham, spam)]
    for number in range(20):
        learn(state, reads[number % 2].features, spam=bool(number % 2))
    return state, reads[1]


def test_reasons_name_the_words_that_spoke_for_ham() -> None:
    state, fields = taught(200), fields_of(spam=False, seed=1000)

    reasons = heaviest(state, Read(fields, {}, extract(fields, {})), spam=False)

    assert len(reasons) == 5
    assert all(" -" in reason for reason in reasons)
    assert any(word in reasons[0] for word in WANTED)


def test_reasons_name_groups_of_letters_where_no_spaces_part_words() -> None:
    wanted, unwanted = "会议记录请您审阅".encode(), "我公司代开发票谢谢".encode()
    state, _ = taught_texts({"(text)": unwanted}, {"(text)": wanted})
    sentence = {"(text)": "您好可以代开发票吗".encode()}

    reasons = heaviest(state, Read(sentence, {}, extract(sentence, {})), spam=True)

    # Three groups of two letters, one over the other.
    assert [reason.rpartition(" ")[0] for reason in reasons] == ['(text) "代开发票"']


def test_reasons_name_n_grams_of_disguised_words() -> None:
    state, _ = taught_texts({"subject": b"xxv1agraxx"}, {"subject": b"yyminutesyy"})
    other = {"from": b"Ann", "subject": b"cheapv1agranow"}

    reasons = heaviest(state, Read(other, other, extract(other, other)), spam=True)

    assert [reason.rpartition(" ")[0] for reason in reasons] == ['subject "v1agra"']


def test_reasons_add_up_to_the_margin_with_what_the_domain_says() -> None:
    state, features = taught_by_domains(30), about_pills(10_000)

    for domain in (0, SCHOOL):
        adds = contributions(state, features, domain)
        assert float(adds.sum()) == pytest.approx(margin(state, features, domain), abs=1e-4)


@given(
    st.dictionaries(st.sampled_from(["from", "(text)"]), st.binary(max_size=80)),
    st.binary(max_size=20),
)
def test_reasons_of_any_bytes_stand_in_the_message(fields: dict[str, bytes], text: bytes) -> None:
    fields = {**fields, "subject": text}
    state, read = taught_texts(fields, {"(text)": b"wanted"})

    for reason in heaviest(state, read, spam=True):
        assert reason.split(" ", 1)[0] in fields
        assert float(reason.rsplit(" ", 1)[1]) >= 0


# Domains. For the pharmacy mail about pills is wanted, and its meetings are none of ours.
PHARMACY, SCHOOL = domain_number("pharmacy.example"), domain_number("school.example")


def about_pills(seed: int) -> Features:
    """Return a message that is spam everywhere but at the pharmacy."""
    fields = fields_of(spam=True, seed=seed)
    return extract({**fields, "from": b"wholesale pharmacy orders"}, {})


def taught_by_domains(lessons: int) -> State:
    """Return what is known where the school has ten times as many lessons as the pharmacy."""
    state = taught(100)
    for seed in range(lessons):
        for more in range(10):
            learn(state, about_pills(10 * seed + more), spam=True, domain=SCHOOL)
            ham = features_of(spam=False, seed=10 * seed + more)
            learn(state, ham, spam=False, domain=SCHOOL)
        learn(state, about_pills(seed + 10_000), spam=False, domain=PHARMACY)
        learn(state, features_of(spam=False, seed=seed + 10_000), spam=True, domain=PHARMACY)
    return state


def test_domain_that_learned_enough_has_a_say_of_its_own() -> None:
    state = taught_by_domains(60)

    at_pharmacy, at_school, elsewhere = (
        judge(state, about_pills(99_999), domain).probability for domain in (PHARMACY, SCHOOL, 0)
    )

    assert at_pharmacy < 0.3
    assert at_school > 0.8
    assert elsewhere > 0.7


def test_domain_that_learned_little_is_judged_as_all() -> None:
    state = taught_by_domains(24)

    assert not knows_domain(state, PHARMACY)
    assert judge(state, about_pills(99_999), PHARMACY) == judge(state, about_pills(99_999))


def test_domain_that_nobody_taught_is_judged_as_all() -> None:
    state = taught_by_domains(40)
    other = domain_number("other.example")

    assert judge(state, about_pills(99_999), other) == judge(state, about_pills(99_999))
