"""On a thousand messages of the corpora every "would have" is true when it is tried."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import Final

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

pytestmark = [pytest.mark.slow, pytest.mark.conformance]

_CORPORA: Final = ("spamassassin", "phishing_pot", "lists_modern", "csdmc2010")
_EACH: Final = 250
_LEAST: Final = 300


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
                    single = not way.facts and len(way.without) + len(way.added) == 1
                    assert single or way.facts or not any(len(w.without) == 1 for w in found)
                judged_ones += 1
                with_ways += bool(found)

    assert judged_ones == _EACH * len(_CORPORA)
    assert with_ways >= _LEAST
