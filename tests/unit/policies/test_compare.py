"""What made the difference between two verdicts."""

from __future__ import annotations

import pytest

from policies.compare import changed
from policies.verdict import Action, Contribution, Verdict

SPF = Contribution("SPF_FAIL", 5.0, 5.0)


def verdict(action: Action, rule: str = "", *counted: Contribution) -> Verdict:
    return Verdict(action, 0.0, 5.0, "site", "", contributions=counted, rule=rule)


@pytest.mark.parametrize(
    ("old", "new", "by"),
    [
        # As a record of the history has it: no findings of rules but the one that decided.
        (verdict(Action.REJECT, "NO_SALES"), verdict(Action.PASS), ("NO_SALES",)),
        (verdict(Action.PASS), verdict(Action.REJECT, "NO_SALES"), ("NO_SALES",)),
        (
            verdict(Action.TAG, "SPF_FAIL", SPF),
            verdict(Action.REJECT, "NO_SALES", SPF),
            ("NO_SALES",),
        ),
        (verdict(Action.TAG, "SPF_FAIL", SPF), verdict(Action.PASS, "", SPF), ()),
    ],
    ids=["a-rule-less", "a-rule-more", "beside-points", "thresholds"],
)
def test_rule_that_decides_under_one_policy_alone_makes_the_difference(
    old: Verdict, new: Verdict, by: tuple[str, ...]
) -> None:
    change = changed("a.eml", "", old, new)

    assert change is not None
    assert change.by == by
