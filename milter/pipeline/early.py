"""Decisions before the end of data: whether policies may take them, and what they agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.transaction import Stage
from milter.pipeline.outcome import Outcome, refusal_reply
from policies.evaluate import EarlyStage, decide_early, until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milter.checks.base import Evidence
    from milter.core.transaction import Transaction
    from policies.compile import Policy

AT_GREETING: Final = "greeting"
AT_CONNECT: Final = "connect"
AT_RCPT: Final = "rcpt"


_STAGES: Final[Mapping[Stage, EarlyStage]] = {Stage.CONNECT: AT_GREETING, Stage.RCPT: AT_RCPT}


def has_early(policy: Policy, stage: EarlyStage) -> bool:
    """Return whether `policy` may refuse at `stage`."""
    # What a recipient's own policy says of the connection can only be applied at RCPT.
    return any(name in policy.early for name in until(stage)) or stage in policy.early_rules


def agreed(policies: Sequence[Policy], evidence: Evidence, txn: Transaction) -> Outcome | None:
    """Return the mildest refusal if every policy refuses: the mail may be for any of them."""
    stage: EarlyStage = _STAGES.get(txn.stage, AT_CONNECT)
    verdicts = []
    for policy in policies:
        known = txn.stage.name.lower()
        verdict = decide_early(policy, evidence.findings, stage, evidence.facts, known)
        if verdict is None:
            return None
        verdicts.append(verdict)
    if not verdicts:
        return None
    mildest = min(verdicts, key=lambda verdict: verdict.action)
    return Outcome(mildest, reply=refusal_reply(mildest.refusal, txn.txn_id))
