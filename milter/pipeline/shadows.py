"""Shadow policies over live mail: after the reply, counted and told where they differ."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from milter.checks.patterns import view_of
from milter.pipeline.selection import context_of

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

    A message that one of them would have treated otherwise is counted and becomes a log line with
    its id, so that the list of them can be read from the log.

    Args:
        shadows: The policies.
        counts: Each of them counts the differences.
    """

    def __init__(self, shadows: Sequence[Shadow], *counts: Counts) -> None:
        self._shadows = tuple(shadows)
        self._counts = counts

    def see(self, seen: Seen) -> None:
        """Judge one message by each shadow that has not ended."""
        today = datetime.fromtimestamp(seen.at, UTC).date().isoformat()
        for shadow in self._shadows:
            if today <= shadow.until:
                self._judge(shadow, seen)

    def _judge(self, shadow: Shadow, seen: Seen) -> None:
        context = context_of(seen.txn.connection, seen.txn.mail_from)
        verdict = shadow.judge(
            context,
            [str(recipient) for recipient in seen.txn.recipients],
            seen.evidence.findings,
            seen.evidence.facts,
            partial(view_of, seen.txn, seen.message),
        )
        if verdict.action is seen.verdict.action:
            return
        for counts in self._counts:
            live, would = seen.verdict.action.word, verdict.action.word
            counts.shadow_difference(shadow.name, live, would)
        _log.info(
            "shadow difference",
            extra={
                "txn_id": seen.txn.txn_id,
                "policy": verdict.policy,
                "action": verdict.action.word,
                "score": verdict.score,
                "rule": verdict.rule,
                "live_action": seen.verdict.action.word,
            },
        )
