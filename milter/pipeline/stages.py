"""Which checks run at which stage, worked out once from their own words.

A check names its stage and its directions; this module sorts them. It knows nothing of running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from milter.core.connection import Direction
from milter.core.transaction import Stage

if TYPE_CHECKING:
    from milter.checks.base import Ask, Check, Combine, Look


@dataclass(frozen=True, slots=True)
class StageChecks:
    """The checks of one stage for one direction.

    Attributes:
        checks: Those that look or ask, in the order in which their evidence shall stand.
        looks: Those that only look, with their place in `checks`.
        asks: Those that ask the network, with their place in `checks`.
        spared: Those of them that do not ask about a message that is decided; their places.
        combines: Those that run after all others of all stages, in their order.
    """

    checks: tuple[Look | Ask, ...] = ()
    looks: tuple[tuple[int, Look], ...] = ()
    asks: tuple[tuple[int, Ask], ...] = ()
    spared: frozenset[int] = frozenset()
    combines: tuple[Combine, ...] = ()


StagePlan = Mapping[Direction, Mapping[Stage, StageChecks]]


def plan_stages(checks: Sequence[Check]) -> StagePlan:
    """Return the checks of each stage, by direction."""
    return {
        direction: {
            stage: _sort(
                [c for c in checks if c.stage is stage and direction in c.directions],
            )
            for stage in Stage
        }
        for direction in Direction
    }


def without_stages(plan: StagePlan, stages: frozenset[Stage]) -> StagePlan:
    """Return `plan` with nothing at `stages`."""
    return {
        direction: {
            stage: StageChecks() if stage in stages else checks
            for stage, checks in by_stage.items()
        }
        for direction, by_stage in plan.items()
    }


def _sort(checks: Sequence[Check]) -> StageChecks:
    plain: list[Look | Ask] = []
    looks: list[tuple[int, Look]] = []
    asks: list[tuple[int, Ask]] = []
    combines: list[Combine] = []
    for check in checks:
        if _combines(check):
            # What they combine is whole only at the end.
            if check.stage is not Stage.MESSAGE:
                raise TypeError(f"{check!r} combines before the message is there")
            combines.append(check)
        elif _asks(check):
            asks.append((len(plain), check))
            plain.append(check)
        elif _looks(check):
            looks.append((len(plain), check))
            plain.append(check)
        else:
            raise TypeError(f"{check!r} neither looks nor asks nor combines")
    spared = frozenset(place for place, check in asks if asks_until_decided(check))
    return StageChecks(tuple(plain), tuple(looks), tuple(asks), spared, tuple(combines))


def asks_until_decided(check: Check) -> bool:
    """Return whether `check` need not run where the message is refused for good anyway."""
    return getattr(check, "until_decided", False)


def _combines(check: Check) -> TypeGuard[Combine]:
    return hasattr(check, "combine")


def _asks(check: Check) -> TypeGuard[Ask]:
    return hasattr(check, "ask")


def _looks(check: Check) -> TypeGuard[Look]:
    return hasattr(check, "look")
