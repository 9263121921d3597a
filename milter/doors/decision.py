"""One outcome for a message from the outcomes of its recipients' policies (3 ways to differ).

Recipients that share a policy form a group. Pure: outcomes in, a plan of delivery out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from milter.pipeline.outcome import Outcome


class Decision(NamedTuple):
    """What happens to one message.

    Attributes:
        refusal: The outcome whose reply the client gets; None when the message goes on.
        deliveries: The outcome of each group, in the order given; empty with a refusal.
        decisive: The outcome that logs and metrics speak of: the severest.
    """

    refusal: Outcome | None
    deliveries: tuple[Outcome, ...]
    decisive: Outcome


def decide(
    outcomes: Sequence[Outcome],
    mode: Literal["separate", "quarantine", "strictest"],
    soften: Callable[[Outcome], Outcome],
) -> Decision:
    """Return what happens to a message whose groups have these outcomes.

    Args:
        outcomes: Of each group; at least one.
        mode: `differing_recipients` of the listener. With `separate` only recipients that agree on
            refusal are in one transaction, so that a difference left over is a postmaster's.
        soften: Makes a refusing outcome one that marks the message as quarantined.
    """
    severest = max(outcomes, key=lambda outcome: outcome.verdict.action)
    if mode == "strictest":
        outcomes = [severest] * len(outcomes)
    if all(outcome.verdict.action.refuses for outcome in outcomes):
        return Decision(severest, (), severest)
    deliveries = tuple(
        soften(outcome) if outcome.verdict.action.refuses else outcome for outcome in outcomes
    )
    return Decision(None, deliveries, max(deliveries, key=lambda outcome: outcome.verdict.action))
