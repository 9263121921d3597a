"""What holds for every policy and all evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policies.compile import Bounds
from policies.document import parse_document
from policies.engine import PatternError, PatternSpec
from policies.errors import ConfigErrors
from policies.evaluate import decide_early, evaluate
from policies.findings import Finding
from policies.loader import load_policies, load_symbols
from policies.patterns import PatternSet
from policies.select import Context
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from policies.compile import Policy
    from policies.errors import ConfigError
    from policies.patterns import View
    from policies.select import PolicySet
    from policies.verdict import Refusal, Verdict

SYMBOLS = sorted(load_symbols())
POINTS = st.decimals(-20, 20, places=3).map(float)
THRESHOLDS = st.fixed_dictionaries(
    {},
    optional={
        Action.REJECT: st.integers(1, 30).map(float),
        Action.DEFER: st.integers(1, 30).map(float),
        Action.QUARANTINE: st.integers(1, 30).map(float),
        Action.TAG: st.integers(1, 30).map(float),
    },
)
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(SYMBOLS),
        st.sampled_from(["", "a", "b"]),
        st.dictionaries(st.sampled_from(["domain", "client_ip"]), st.text(max_size=8), max_size=2),
    ),
    max_size=25,
)


@cache
def the_strict_policy() -> Policy:
    return load_policies(NoFiles(), "strict").select(Context("inbound", "inbound"), None)


class NoFiles:
    def read(self, path: str) -> bytes:
        raise AssertionError(path)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return the strict preset with other weights, bounds and thresholds, in any order."""
    weights = {
        s: w for s, w in draw(st.dictionaries(st.sampled_from(SYMBOLS), POINTS)).items() if w
    }
    table = load_symbols_once()
    groups = sorted({table[symbol].group for symbol in weights})
    bounds = {
        group: Bounds(
            draw(st.none() | st.integers(0, 20).map(float)),
            draw(st.none() | st.integers(-20, 0).map(float)),
        )
        for group in groups
        if draw(st.booleans())
    }
    return replace(
        the_strict_policy(),
        weights=weights,
        symbols={symbol: table[symbol] for symbol in weights},
        groups=bounds,
        thresholds=draw(THRESHOLDS),
        early={"connect": 5.0},
    )


load_symbols_once = cache(load_symbols)


@given(policies(), FINDINGS, st.randoms(use_true_random=False))
def test_verdict_does_not_depend_on_the_order_of_findings(
    policy: Policy, findings: list[Finding], random: Random
) -> None:
    shuffled = list(findings)
    random.shuffle(shuffled)

    assert evaluate(policy, findings) == evaluate(policy, shuffled)
    assert decide_early(policy, findings, "connect") == decide_early(policy, shuffled, "connect")


@given(policies(), FINDINGS)
def test_verdict_is_the_same_where_evidence_is_repeated(
    policy: Policy, findings: list[Finding]
) -> None:
    assert evaluate(policy, findings) == evaluate(policy, findings + findings)


@given(policies(), FINDINGS)
def test_verdict_what_learned_nothing_never_rejects(
    policy: Policy, findings: list[Finding]
) -> None:
    table = load_symbols_once()
    certain = [f for f in findings if not table[f.symbol].temporary]

    with_them, without = evaluate(policy, findings), evaluate(policy, certain)

    if with_them.action is Action.REJECT:
        assert without.action is Action.REJECT


@given(policies(), FINDINGS)
def test_verdict_score_is_what_the_contributions_say(
    policy: Policy, findings: list[Finding]
) -> None:
    verdict = evaluate(policy, findings)

    assert abs(sum(c.counted for c in verdict.contributions) - verdict.score) <= 0.005 * (
        len(verdict.contributions) + 1
    )
    for group, bounds in policy.groups.items():
        points = sum(c.counted for c in verdict.contributions if c.group == group)
        assert bounds.cap is None or points <= bounds.cap + 0.1
        assert bounds.floor is None or points >= bounds.floor - 0.1


@given(policies(), FINDINGS, st.sampled_from(SYMBOLS))
def test_verdict_more_against_a_message_never_makes_it_milder(
    policy: Policy, findings: list[Finding], symbol: str
) -> None:
    more = evaluate(policy, [*findings, Finding(symbol)])

    if policy.weights.get(symbol, 0) > 0:
        assert more.action >= evaluate(policy, findings).action


@given(policies(), FINDINGS)
def test_verdict_postmaster_is_never_refused(policy: Policy, findings: list[Finding]) -> None:
    verdict = evaluate(policy, findings, postmaster=True)

    assert not verdict.action.refuses
    assert verdict.refusal is None


@given(policies(), FINDINGS)
def test_verdict_refusal_is_there_exactly_for_those_who_are_refused(
    policy: Policy, findings: list[Finding]
) -> None:
    verdict = evaluate(policy, findings)

    assert (verdict.refusal is not None) == verdict.action.refuses
    if verdict.refusal is not None:
        assert verdict.refusal.text.count("{txn_id}") == 1
        assert len(verdict.refusal.text) <= 450
        assert verdict.refusal.text.isprintable()


RECIPIENTS = ["a@one.example", "b@one.example", "a@two.example"]
# Weights and thresholds lie close together, so that a small change of one often changes the end.
OF_CLIENT = ["IPREV_MISSING", "HELO_SYNTAX", "EARLY_TALKER"]
BELOW: dict[str, object] = {
    "weights": dict.fromkeys(OF_CLIENT, 2),
    "early": {"connect": 4},
    "thresholds": {"tag": 3, "reject": 5},
}
SYMBOLS_SEEN = st.sets(st.sampled_from(OF_CLIENT), min_size=2)
BOUNDS = st.one_of(
    st.fixed_dictionaries({"cap": st.none() | st.integers(2, 6)}),
    st.fixed_dictionaries({"floor": st.none() | st.integers(-3, 0)}),
)
CHANGES: st.SearchStrategy[Mapping[str, object]] = st.one_of(
    st.fixed_dictionaries(
        {"weights": st.dictionaries(st.sampled_from(OF_CLIENT), st.integers(-1, 4), min_size=1)}
    ),
    st.fixed_dictionaries(
        {"early": st.fixed_dictionaries({"connect": st.none() | st.integers(2, 6)})}
    ),
    st.fixed_dictionaries({"groups": st.fixed_dictionaries({"client": BOUNDS})}),
    st.just({"headers": "none"}),
    st.just({"thresholds": {"tag": 2}}),
)
MATCHES = st.sampled_from(
    [
        {"recipient": "a@*"},
        {"recipient": "b@one.example"},
        {"recipient_domain": "two.example"},
        {"recipient": "a@one.example", "direction": "inbound"},
        {"direction": "inbound"},
        {"sender": "*@partner.example"},
    ]
)
OVERRIDES = st.lists(
    st.builds(lambda match, said: {"match": match, **said}, MATCHES, CHANGES),
    min_size=1,
    max_size=3,
)


def policy_set(overrides: list[Mapping[str, object]]) -> PolicySet:
    file = {"version": 1, "name": "x", **BELOW, "overrides": overrides}
    return load_policies(OneFile(json.dumps(file).encode()), "f.yaml")


@given(OVERRIDES, SYMBOLS_SEEN, st.booleans())
def test_common_what_all_refuse_is_refused_for_every_recipient(
    overrides: list[Mapping[str, object]],
    symbols: set[str],
    sender_is_known: bool,
) -> None:
    policies_ = policy_set(overrides)
    seen = [Finding(symbol) for symbol in symbols]
    before = Context("inbound", "inbound", "a@partner.example" if sender_is_known else None)

    if all(decide_early(policy, seen, "connect") for policy in policies_.common(before)):
        for sender in ("a@partner.example", "a@example.net")[: 1 if sender_is_known else 2]:
            for recipient in RECIPIENTS:
                policy = policies_.select(Context("inbound", "inbound", sender), recipient)
                assert decide_early(policy, seen, "connect") is not None


@given(OVERRIDES, SYMBOLS_SEEN)
def test_keys_what_is_equal_ends_equally(
    overrides: list[Mapping[str, object]],
    symbols: set[str],
) -> None:
    policies_ = policy_set(overrides)
    seen = [Finding(symbol) for symbol in symbols]
    context = Context("inbound", "inbound", "a@example.net")
    one, *others = [policies_.select(context, recipient) for recipient in RECIPIENTS]

    for other in others:
        if one.refusal_key == other.refusal_key:
            assert evaluate(one, seen).refusal == evaluate(other, seen).refusal
            assert early_refusal(one, seen) == early_refusal(other, seen)
        if one.marks_key == other.marks_key:
            assert shown(one, seen) == shown(other, seen)


def shown(policy: Policy, seen: list[Finding]) -> Verdict:
    return replace(evaluate(policy, seen), policy="")


def early_refusal(policy: Policy, seen: list[Finding]) -> Refusal | None:
    verdict = decide_early(policy, seen, "rcpt")
    return verdict.refusal if verdict else None


# The characters that mean something to YAML, so that structure comes about by chance.
YAMLISH = st.text(alphabet="ab:-[]{}&*!'\"|>#?,\n\t 01~", max_size=200).map(str.encode)
KEYS = st.sampled_from(
    ["thresholds", "tag", "weights", "match", "patterns", "dns_lists", "codes", "in", "overrides"]
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), below, max_size=4)
    ),
    max_leaves=12,
)
PATTERNS = st.text(alphabet="ab(?=!<>)[]{}*+|\\^$.1-,:PQEkgzZé", max_size=30)


class OneFile:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, path: str) -> bytes:
        assert path == "f.yaml"
        return self._data


def mistakes_of(do: Callable[[], object]) -> tuple[ConfigError, ...]:
    try:
        do()
    except ConfigErrors as err:
        return err.errors
    return ()


@given(st.binary(max_size=300) | YAMLISH)
def test_document_any_bytes_give_values_or_mistakes_with_places(data: bytes) -> None:
    mistakes = mistakes_of(lambda: parse_document(data, "f.yaml").value())

    assert all(error.path == "f.yaml" and error.what for error in mistakes)


@given(SHAPES)
def test_policy_of_any_shape_gives_policies_or_mistakes_with_places(value: object) -> None:
    heading = {"version": 1, "name": "x"}
    written = json.dumps({**heading, **value} if isinstance(value, dict) else value)

    mistakes = mistakes_of(lambda: load_policies(OneFile(written.encode()), "f.yaml"))

    assert all(error.line and error.column and error.what for error in mistakes)


@given(PATTERNS, st.sampled_from(["body", "raw", "urls"]))
def test_pattern_any_text_is_compiled_or_refused_inside_itself(text: str, view: str) -> None:
    contents: dict[str, View] = {"body": "ab é", "raw": b"ab \xe9", "urls": ["a", "b"]}
    offset = 0
    hits = []
    try:
        hits = PatternSet.compile([PatternSpec("P", view, text)]).match(contents.__getitem__)
    except PatternError as err:
        offset = err.offset

    assert 0 <= offset <= len(text)
    assert all(hit.start < hit.end for hit in hits)
