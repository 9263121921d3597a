"""The checks that judge what the others saw, after the last of them has answered.

They run one after the other, for each may need what the one before it said. They have a budget of
their own: whoever slows the other checks down, by name servers that hardly answer, must not keep
these from judging. For the same reason those that ask the network share one, and those that do not
another: what they wait for is no stranger's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.dns.turns import ask_for
from milter.pipeline.stage_run import check_error, failed, spared, with_story
from milter.pipeline.stages import asks_until_decided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.base import Combine, Evidence
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.pipeline.stage_run import Decide, Means


async def combined(
    checks: Sequence[Combine],
    txn: Transaction,
    message: Message,
    known: Sequence[Evidence],
    means: Means,
    *,
    decided: Decide | None = None,
) -> list[Evidence]:
    """Return `known` and behind it what each of `checks` makes of it, in their order.

    One that raises, or has no answer when the budget of its kind is used up, becomes a finding.
    Where `decided` says that the message is, those that are spared then do not run.
    """
    pieces = list(known)
    left_s = dict.fromkeys((True, False), means.budget_s)
    ask_for(txn.connection.client_ip)
    for check in checks:
        if decided and asks_until_decided(check) and decided(pieces):
            pieces.append(spared(check, means))
            continue
        started = means.clock()
        result = "ok"
        resolver, story = means.resolver_for(check)
        try:
            async with asyncio.timeout(max(0.0, left_s[check.asks])):
                evidence = await check.combine(txn, message, resolver, tuple(pieces))
        except TimeoutError:
            evidence, result = check_error(check, "timeout"), "timeout"
        except Exception as error:  # noqa: BLE001 - whatever a check does, the message gets its verdict
            evidence, result = failed(check, txn, error), "error"
        took_s = means.clock() - started
        left_s[check.asks] -= took_s
        means.observe(check.name, result, took_s, started)
        pieces.append(with_story(evidence, story))
    return pieces
