"""On a thousand messages of the corpora every "would have" is true when it is tried."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import TYPE_CHECKING, Final

import pytest

from milter.checks.catalogue import Means, build_checks
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver
from milter.pipeline.offline import Envelope, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.counterfactuals import tried
from policies.evaluate import evaluate
from policies.loader import FileSource, load_policies
from tests.support.corpora import corpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policies.compile import Policy
    from policies.facts import FactValue
    from policies.findings import Finding
    from policies.verdict import Action

pytestmark = [pytest.mark.slow, pytest.mark.conformance, pytest.mark.timeout(900)]

_CORPORA: Final = ("spamassassin", "phishing_pot", "lists_modern", "csdmc2010")
_EACH: Final = 250
_LEAST: Final = 300


def _single_changes(
    policy: Policy,
    findings: Sequence[Finding],
    facts: Mapping[str, FactValue],
    before: Action,
) -> list[str]:
    """Return each symbol without which alone another action would have come."""
    return [
        symbol
        for symbol in sorted({finding.symbol for finding in findings})
        if evaluate(policy, [f for f in findings if f.symbol != symbol], facts).action is not before
    ]


def test_counterfactuals_of_a_thousand_messages_are_true_and_minimal() -> None:
    policies = load_policies(FileSource(), "balanced")
    pipeline = Pipeline(
        checks=without_network(build_checks(policies.plan, Means("mx.example.org", time.time))),
        policies=policies,
        resolver=FakeResolver({}),
        identity=Identity("mx.example.org", "mx.example.org"),
        budget_s=20,
    )
    judged_ones = with_ways = 0
    with asyncio.Runner() as runner:
        for name in _CORPORA:
            for message in islice(corpus(name), _EACH):
                judging = judge(pipeline, message, Envelope(), TxnId("T"), SessionId("S"))
                judged = runner.run(judging)
                evidence = judged.judgement.evidence
                findings, facts = evidence.findings, evidence.facts
                before = evaluate(judged.policy, findings, facts).action
                found = judged.ways()
                for way in found:
                    after = tried(judged.policy, findings, facts, way).action
                    assert after is way.action
                    assert after is not before
                    if len(way.without) > 1 and not way.facts:
                        assert _single_changes(judged.policy, findings, facts, before) == []
                judged_ones += 1
                with_ways += bool(found)

    assert judged_ones == _EACH * len(_CORPORA)
    assert with_ways >= _LEAST
