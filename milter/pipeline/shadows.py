"""Shadow policies over live mail: after the reply, counted and told where they differ."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from milter.checks.dnslists.answers import findings_anew, is_of_a_list
from milter.checks.patterns import view_of
from milter.pipeline.aftermath import Otherwise
from milter.pipeline.selection import context_of
from policies.compare import changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.pipeline.aftermath import Seen
    from policies.shadow import Shadow

_log: Final = logging.getLogger("gatepost.pipeline")


class Counts(Protocol):
    """Where differences are counted."""

    def shadow_difference(self, policy: str, live: str, shadow: str) -> None:
        """Count a message that a shadow would have treated otherwise."""
        ...


class Shadows:
    """Evaluates shadow policies on every message that had its reply.

    A message that one of them would have treated otherwise is counted, becomes a log line with its
    id, and is told to the consumers of the aftermath, of whom the history keeps it: its list is
    `gatepost policy shadow`.

    Args:
        shadows: The policies.
        counts: Each of them counts the differences.
    """

    def __init__(self, shadows: Sequence[Shadow], *counts: Counts) -> None:
        self._shadows = tuple(shadows)
        self._counts = counts

    def differing(self, seen: Seen) -> tuple[Otherwise, ...]:
        """Return what shadows that have not ended would have done instead."""
        today = datetime.fromtimestamp(seen.at, UTC).date().isoformat()
        judged = [self._judge(each, seen) for each in self._shadows if today <= each.until]
        return tuple([each for each in judged if each is not None])

    def _judge(self, shadow: Shadow, seen: Seen) -> Otherwise | None:
        # What a list has answered may be called otherwise there.
        findings = [each for each in seen.evidence.findings if not is_of_a_list(each)]
        findings += findings_anew(shadow.policies.plan.dns_lists, seen.evidence.answers)
        verdict = shadow.judge(
            context_of(seen.txn.connection, seen.txn.mail_from),
            [recipient.plain for recipient in seen.txn.recipients],
            findings,
            seen.evidence.facts,
            partial(view_of, seen.txn, seen.message),
            postmaster=any(share.postmaster for share in seen.dealt.shares),
        )
        change = changed(seen.txn.txn_id, "", seen.verdict, verdict)
        if change is None:
            return None
        for counts in self._counts:
            counts.shadow_difference(shadow.name, change.old.action, change.new.action)
        _log.info(
            "shadow difference",
            extra={
                "txn_id": seen.txn.txn_id,
                "policy": verdict.policy,
                "action": change.new.action,
                "score": change.new.score,
                "rule": change.new.rule,
                "live_action": change.old.action,
            },
        )
        return Otherwise(shadow.name, change)
