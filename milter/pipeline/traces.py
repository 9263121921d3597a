"""Traces of transactions, made after their reply of what was noted on the way.

One trace a transaction: within it its stages, within these the checks that ran. What a connection's
checks took (CONNECT, HELO) stands in the trace of its first transaction. A subject, a text or the
words of a reply is never in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.transaction import Stage
from milter.telemetry.spans import Span
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milter.core.connection import Connection
    from milter.pipeline.aftermath import Seen, TurnedAway
    from milter.pipeline.timings import CheckRun, Timings
    from milter.telemetry.spans import Attribute
    from policies.verdict import Verdict

_MOST_SYMBOLS: Final = 50
_LONGEST: Final = 256


class Traces:
    """Makes the trace of each transaction that was chosen; a consumer and a watcher.

    Args:
        timings: What was noted.
        stages: The stage of each check, by its name.
        send: Takes a trace.
        clock: Seconds since the epoch.
        monotonic: Seconds, as `timings` has them.
        private: Whether nothing may stand in them that points to somebody.
    """

    def __init__(
        self,
        timings: Timings,
        stages: Mapping[str, Stage],
        send: Callable[[Span], None],
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        private: bool,
    ) -> None:
        self._timings = timings
        self._stages = stages
        self._send = send
        self._clock = clock
        self._monotonic = monotonic
        self._private = private

    def see(self, seen: Seen) -> None:
        """Send the trace of one message."""
        txn, verdict = seen.txn, seen.verdict
        attributes = self._attributes(txn.connection, txn.txn_id, verdict)
        attributes |= {
            "gatepost.size_bytes": len(txn.message),
            "gatepost.rcpt_count": len(txn.recipients),
            "gatepost.reply_code": seen.reply.code,
        }
        for one in seen.evidence.auth:
            # Of several signatures the first, as the log has it.
            attributes.setdefault(f"gatepost.{one.method}", one.result.value)
        if not self._private:
            attributes["gatepost.mail_from"] = txn.mail_from.text if txn.mail_from else "<>"
        # The next hop refused what the verdict let through, or could not be had.
        failed = not seen.delivered and not verdict.action.refuses
        self._trace(txn.connection, txn.txn_id, seen.at, attributes, failed=failed)

    def see_turned_away(self, turned: TurnedAway) -> None:
        """Send the trace of a transaction that a policy refused before its data."""
        if turned.verdict is None or turned.came:
            # The message has a trace of its own, with the same checks.
            return
        attributes = self._attributes(turned.connection, turned.reference, turned.verdict)
        attributes["gatepost.refused_at"] = turned.stage
        attributes["gatepost.reply_code"] = turned.reply.code
        self._trace(turned.connection, turned.reference, turned.at, attributes)

    def _attributes(
        self, connection: Connection, txn_id: str, verdict: Verdict
    ) -> dict[str, Attribute]:
        symbols = [one.symbol for one in verdict.contributions]
        attributes: dict[str, Attribute] = {
            "gatepost.txn_id": txn_id,
            "gatepost.session_id": connection.session_id,
            "gatepost.listener": connection.listener,
            "gatepost.direction": connection.direction.value,
            "gatepost.action": verdict.action.word,
            "gatepost.score": verdict.score,
            "gatepost.policy": verdict.policy,
            "gatepost.symbols": tuple(symbols[:_MOST_SYMBOLS]),
        }
        if verdict.rule:
            attributes["gatepost.rule"] = verdict.rule
        if verdict.action is not Action.PASS and verdict.kind:
            attributes["gatepost.kind"] = verdict.kind
        if connection.client_ip is not None and not self._private:
            attributes["client.address"] = str(connection.client_ip)
        return attributes

    def _trace(
        self,
        connection: Connection,
        txn_id: str,
        ended: float,
        attributes: Mapping[str, Attribute],
        *,
        failed: bool = False,
    ) -> None:
        kept = self._timings.take(txn_id)
        of_connection = self._timings.take(connection.session_id)
        began = kept or of_connection
        if began is None:
            return
        runs = [*(of_connection.runs if of_connection else ()), *(kept.runs if kept else ())]
        to_epoch = self._clock() - self._monotonic()
        stages = self._stages_of(runs, to_epoch)
        start = min([began.began + to_epoch, *(stage.start for stage in stages)])
        bounded = {name: _short(value) for name, value in attributes.items()}
        self._send(Span("transaction", start, max(ended, start), bounded, stages, failed))

    def _stages_of(self, runs: Sequence[CheckRun], to_epoch: float) -> tuple[Span, ...]:
        by_stage: dict[Stage, list[Span]] = {}
        for run in runs:
            start = run.started + to_epoch
            span = Span(
                f"check {run.check}",
                start,
                start + run.seconds,
                {"gatepost.check": run.check, "gatepost.result": run.result},
                failed=run.result != "ok",
            )
            by_stage.setdefault(self._stages.get(run.check, Stage.MESSAGE), []).append(span)
        return tuple(
            [
                Span(
                    f"stage {stage.name.lower()}",
                    min(one.start for one in checks),
                    max(one.end for one in checks),
                    children=tuple(checks),
                )
                for stage, checks in sorted(by_stage.items(), key=lambda item: item[0])
            ]
        )


def _short(value: Attribute) -> Attribute:
    return value[:_LONGEST] if isinstance(value, str) else value
