"""The same evidence gives the same verdict in every process, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Sets and their order depend on the seed of hashes, which differs from worker to worker.
_SEEDS: Final = ("0", "1", "4711")
_JUDGES: Final = """
import json, sys
from random import Random
from policies.counterfactuals import ways
from policies.evaluate import decide_early, evaluate
from policies.findings import Finding
from policies.loader import load_policies
from policies.select import Context

class Text:
    def read(self, path):
        return open(sys.argv[1], "rb").read()

policies = load_policies(Text(), "site.yaml")
random, symbols = Random(7), sorted(policies.plan.symbols)
context = Context("inbound", "inbound", "a@example.net")
print(policies.version, sorted(policies.early))
for number in range(120):
    chosen = random.sample(symbols, random.randrange(1, 25)) + random.choice(([], ["MINE"]))
    found = [
        Finding(symbol, f"evidence {n % 3}", {"domain": "example.net"})
        for n, symbol in enumerate(chosen)
    ]
    found += random.sample(found, len(found) // 3)
    random.shuffle(found)
    facts = {
        "subject": random.choice(["", "x"]),
        "size_bytes": random.randrange(3),
        "author_domain": "example.net",
        "dmarc": {"result": random.choice(["pass", "fail"]), "aligned": random.random() < 0.3},
    }
    for recipient in ("a@example.org", "b@sales.example.org"):
        policy = policies.select(context, recipient)
        print(policy.refusal_key, policy.marks_key)
        print(repr(evaluate(policy, found, facts)))
        print(repr(decide_early(policy, found, "rcpt", facts, "rcpt")))
    if number % 12 == 0:
        print(repr(ways(policy, found, facts)))
"""
_POLICY: Final = """\
version: 1
name: site
extends: strict
early: {rcpt: 10}
groups: {auth: {cap: 4, floor: -1}, client: {cap: 2}}
patterns:
  - {id: MINE, in: subject, match: x, weight: 1.1, kind: fraud, describe: d}
rules:
  - {id: R1, when: '"SPF_FAIL" in symbols && dmarc.result == "fail"', weight: 0.7, describe: d}
  - {id: R2, when: '"IPREV_FAIL" in symbols && dmarc.result == "fail"', weight: 0.3, describe: d}
  - {id: R3, when: '"R1" in symbols || "R2" in symbols', action: tag, describe: d}
  - {id: R4, when: '"MINE" in symbols && 1 / size_bytes > 0', action: quarantine, describe: d}
  - {id: R5, when: 'score > 3 && subject == "x"', action: quarantine, describe: d}
  - {id: R6, when: 'dmarc.aligned', action: pass, needs: dmarc.aligned, describe: d}
overrides:
  - match: {recipient_domain: sales.example.org}
    thresholds: {reject: 20}
    weights: {R5: 0}
"""


@pytest.mark.slow
def test_verdicts_are_the_same_whatever_the_seed_of_hashes(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(_POLICY, "utf-8")

    said = {_judged(str(path), seed) for seed in _SEEDS}

    (only,) = said
    assert len(only.splitlines()) > 500
    assert "RULE_ERROR" in only


def _judged(path: str, seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _JUDGES, path],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
