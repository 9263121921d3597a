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
    from milter.checks.base import Ask, Check, Look


@dataclass(frozen=True, slots=True)
class StageChecks:
    """The checks of one stage for one direction.

    Attributes:
        checks: All of them, in the order in which their evidence shall stand.
        looks: Those that only look, with their place in `checks`.
        asks: Those that ask the network, with their place in `checks`.
    """

    checks: tuple[Check, ...] = ()
    looks: tuple[tuple[int, Look], ...] = ()
    asks: tuple[tuple[int, Ask], ...] = ()


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
    looks: list[tuple[int, Look]] = []
    asks: list[tuple[int, Ask]] = []
    for place, check in enumerate(checks):
        if _asks(check):
            asks.append((place, check))
        elif _looks(check):
            looks.append((place, check))
        else:
            raise TypeError(f"{check!r} neither looks nor asks")
    return StageChecks(tuple(checks), tuple(looks), tuple(asks))


def _asks(check: Check) -> TypeGuard[Ask]:
    return hasattr(check, "ask")


def _looks(check: Check) -> TypeGuard[Look]:
    return hasattr(check, "look")
