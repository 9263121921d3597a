"""Whether a message is decided, so that DNS lists need not be asked about what stands in it.

Each question costs the list, counts against its terms of use and tells its owner what we got. A
message that is refused anyway is worth none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.core.transaction import Stage
from milter.pipeline.facts import merge
from policies.settled import is_settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.base import Evidence
    from milter.core.transaction import Transaction
    from milter.pipeline.stage_run import StageRun
    from policies.compile import Plan, Policy

# The stage before the one whose lists are spared.
_BEFORE = Stage.DATA.name.lower()


class Decided:
    """Tells of one message whether every policy in question rejects it, come what may.

    Args:
        txn: The message.
        groups: The policies of its recipients; postmaster's, marked so, never refuses.
        plan: Shadow policies in it want to know what the live ones need not.
        runs: The checks of all stages before MESSAGE.
    """

    __slots__ = ("_groups", "_runs", "_shadowed", "_txn")

    def __init__(
        self,
        txn: Transaction,
        groups: Sequence[tuple[Policy, bool]],
        plan: Plan,
        runs: Sequence[StageRun],
    ) -> None:
        self._txn = txn
        self._groups = groups
        self._shadowed = bool(plan.shadows)
        self._runs = runs

    def so_far(self, seen: Sequence[Evidence]) -> bool:
        """Return it for what the stages before MESSAGE know by now, and `seen` at MESSAGE."""
        return self.by([*(piece for run in self._runs for piece in run.so_far), *seen])

    def by(self, pieces: Sequence[Evidence]) -> bool:
        """Return it for `pieces`, all evidence that there is."""
        if self._shadowed or not self._groups or any(postmaster for _, postmaster in self._groups):
            return False
        known = _BEFORE if all(run.whole for run in self._runs) else None
        seen = merge(self._txn, pieces)
        return all(
            is_settled(policy, seen.findings, seen.facts, known) for policy, _ in self._groups
        )
