"""One outcome for a message from the outcomes of its recipients' policies (3 ways to differ).

Recipients that share a policy form a group. Pure: outcomes in, a plan of delivery out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from milter.pipeline.aftermath import Dealt, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from milter.core.address import Mailbox
    from milter.doors.groups import Group
    from milter.pipeline.outcome import Outcome
    from policies.verdict import Action


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
        soften: Makes a refusing outcome one that quarantines the message.
    """
    if len(outcomes) == 1:
        # Most messages are for recipients of one policy.
        (only,) = outcomes
        return Decision(only, (), only) if _refuses(only) else Decision(None, (only,), only)
    severest = max(outcomes, key=_severity)
    if mode == "strictest":
        # Whose own policy does no less does it in its own way.
        least = _severity(severest)
        outcomes = [each if _severity(each) == least else severest for each in outcomes]
    if all(map(_refuses, outcomes)):
        return Decision(severest, (), severest)
    deliveries = tuple(soften(outcome) if _refuses(outcome) else outcome for outcome in outcomes)
    return Decision(None, deliveries, max(deliveries, key=_severity))


def _severity(outcome: Outcome) -> Action:
    return outcome.verdict.action


def _refuses(outcome: Outcome) -> bool:
    return outcome.verdict.action.refuses


def dealt(
    decision: Decision,
    differing: str,
    groups: Iterable[Group],
    recipients: Sequence[tuple[Mailbox, Group]],
    queue_id: str = "",
) -> Dealt:
    """Return what is told of recipients afterwards.

    Args:
        decision: What was done.
        differing: The mode by which it was decided.
        groups: In the order of the outcomes that were decided on.
        recipients: All, each with its group.
        queue_id: What the mail server that asks calls the message.
    """
    shares = []
    for place, group in enumerate(groups):
        applied = decision.decisive if decision.refusal else decision.deliveries[place]
        members = tuple([mailbox for mailbox, its in recipients if its.key == group.key])
        shares.append(Share(group.policy.name, group.postmaster, applied.verdict, members))
    return Dealt(differing, tuple(shares), queue_id)
