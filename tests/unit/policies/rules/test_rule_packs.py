"""Every rule of the shipped packs finds its message, and does not find the one beside it."""

from __future__ import annotations

import asyncio
import difflib
import re
import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final, get_args

import pytest

from milter.checks.catalogue import Means, build_checks
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from milter.pipeline.examples import changed, message_of
from milter.pipeline.offline import Envelope, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies import prefilter
from policies.loader import PACKS, FileSource, load_pack, read_policy
from policies.symbols import Kind
from tests.support.corpora import CORPORA, corpus

if TYPE_CHECKING:
    from policies.packs import Example, PackRule

_PACKS: Final = {name: load_pack(name) for name in PACKS}
_RULES: Final = {rule.id: rule for pack in _PACKS.values() for _, _, rule in pack.rules()}
_HALF: Final = 20
_QUOTED: Final = 2 * _HALF


@cache
def _pipeline() -> Pipeline:
    policies = read_policy(FileSource()).policies
    checks = without_network(build_checks(policies.plan, Means("mx.example.org", time.time)))
    return Pipeline(
        checks=checks,
        policies=policies,
        resolver=FakeResolver({}),
        identity=Identity("mx.example.org", "mx.example.org"),
        budget_s=20.0,
    )


def symbols_of(message: bytes) -> set[str]:
    """Return all symbols that are found in a message, those of rules included."""
    ids = TxnId("RULES0000001"), SessionId("RULES0000001")
    judged = asyncio.run(judge(_pipeline(), message, Envelope(), *ids))
    found = (*judged.judgement.evidence.findings, *judged.outcome.verdict.found)
    return {finding.symbol for finding in found}


@pytest.mark.parametrize("rule", _RULES.values(), ids=list(_RULES))
def test_rule_finds_its_message_and_not_the_one_beside_it(rule: PackRule) -> None:
    hit, miss = rule.hit, changed(rule.hit, rule.miss)

    assert rule.id in symbols_of(message_of(hit))
    assert rule.id not in symbols_of(message_of(miss))


@pytest.mark.parametrize("rule", _RULES.values(), ids=list(_RULES))
def test_message_beside_differs_in_the_offending_point_alone(rule: PackRule) -> None:
    hit, miss = _texts(rule.hit), _texts(changed(rule.hit, rule.miss))

    assert difflib.SequenceMatcher(None, hit, miss, autojunk=False).ratio() > 0.3
    assert len(rule.miss) <= 2


def _texts(example: Example) -> str:
    return str(sorted(example.model_dump(exclude_unset=True).items()))


@pytest.mark.skipif(not prefilter.is_available(), reason="hyperscan has no wheel for this machine")
def test_hyperscan_and_re2_find_the_same_in_every_message() -> None:
    patterns = read_policy(FileSource()).policies.plan.patterns
    messages = [Message(message_of(rule.hit)) for rule in _RULES.values()]
    messages += [Message(message_of(changed(rule.hit, rule.miss))) for rule in _RULES.values()]
    alone = [patterns.match(message.view) for message in messages]

    for view, written in patterns.written().items():
        ready = prefilter.load(prefilter.build(view, written))
        assert ready is not None
        assert ready.always == ()
        patterns.arm(view, ready)

    assert [patterns.match(message.view) for message in messages] == alone


def test_no_rule_reaches_tag_alone() -> None:
    policy = read_policy(FileSource()).policies.all_single()[0]

    alone = {name: weight for name, weight in policy.weights.items() if name in _RULES}

    assert max(alone.values()) < policy.required


def test_rules_stand_once_and_say_where_they_come_from() -> None:
    ids = Counter(rule.id for pack in _PACKS.values() for _, _, rule in pack.rules())
    described = Counter(
        (name, rule.describe) for name, pack in _PACKS.items() for _, _, rule in pack.rules()
    )

    assert max(ids.values()) == 1
    assert max(described.values()) == 1
    assert not [rule.id for rule in _RULES.values() if len(rule.source) < 6]


def test_every_kind_and_language_has_its_share_of_rules() -> None:
    kinds = Counter(kind for pack in _PACKS.values() for _, kind, _ in pack.rules())
    languages = Counter(pack.language for pack in _PACKS.values() for _ in pack.rules())

    assert len(_RULES) >= 250
    assert set(kinds) == set(get_args(Kind))
    assert min(kinds.values()) >= 15
    assert set(languages) == {pack.language for pack in _PACKS.values()} == {*PACKS}
    assert min(count for language, count in languages.items() if language != "any") >= 20


def test_every_pack_is_named_by_the_preset() -> None:
    assert read_policy(FileSource()).file.rules_packs == PACKS


def test_rule_of_a_language_says_so_in_its_name() -> None:
    wrong = [
        rule.id
        for pack in _PACKS.values()
        for _, _, rule in pack.rules()
        if pack.language != "any" and not rule.id.startswith(f"{pack.language.upper()}_")
    ]

    assert wrong == []


@pytest.mark.conformance
@pytest.mark.parametrize("name", CORPORA)
def test_no_rule_quotes_a_message(name: str) -> None:
    """No run of forty characters of a message or pattern of ours stands in mail of others."""
    quoted = set()
    ours = _runs()
    halves = {half for run in ours for half in (run[:_HALF], run[_HALF:])}
    for data in corpus(name):
        text = _plain(f"{Message(data).subject}\n{Message(data).body}")
        # Every run holds one of these halves whole, wherever it begins.
        for place in range(0, len(text) - _HALF, _HALF):
            if text[place : place + _HALF] in halves:
                near = range(max(place - _HALF, 0), place + 1)
                quoted |= {ours[run] for at in near if (run := text[at : at + _QUOTED]) in ours}

    assert quoted == set()


@cache
def _runs() -> dict[str, str]:
    """Return all runs of our texts and patterns, with the rule that each is of."""
    runs: dict[str, str] = {}
    for rule in _RULES.values():
        for text in (*_said(rule.hit), *_said(changed(rule.hit, rule.miss)), rule.match or ""):
            plain = _plain(text)
            for at in range(len(plain) - _QUOTED + 1):
                runs[plain[at : at + _QUOTED]] = rule.id
    return runs


def _said(example: Example) -> tuple[str, ...]:
    return example.subject, example.body, example.html


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower())
