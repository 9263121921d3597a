"""The checks of one stage of one transaction, from their start to their last answer.

Checks that look run inline; checks that ask run as tasks that this object owns. What has not
answered when the budget of its stage is used up is cut off and becomes a finding, and so does what
raised: the policy says what a missing answer means, the runner does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from milter.auth.story import Story, TellingResolver
from milter.checks.base import Ask, Check, Evidence
from milter.dns.turns import ask_for
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from milter.pipeline.stages import StageChecks

Observe = Callable[[str, str, float, float], None]
Clock = Callable[[], float]
Decide = Callable[[list[Evidence]], bool]
_NO_ANSWERS: Final[Mapping[int, Evidence]] = {}

# From here on decoding and matching take more than the 5 ms for which the event loop may be held.
LARGE_BYTES: Final = 262_144

_log: Final = logging.getLogger("gatepost.pipeline")


@dataclass(frozen=True, slots=True)
class Means:
    """What checks are run with; one for the life of a pipeline.

    Attributes:
        resolver: Given to the checks that ask.
        budget_s: Seconds that the checks of one stage have, from the end of its input.
        observe: Told name, `ok`, `error` or `timeout`, seconds and begin of every check that ran.
        clock: Seconds, never going back.
        explains: Whether what the checks ask and decide is written down for a reader.
        enclosed: Opens documents and pictures before the checks of the message; None: nobody does.
    """

    resolver: Resolver
    budget_s: float
    observe: Observe
    clock: Clock
    explains: bool = False
    enclosed: EnclosedReader | None = None

    def resolver_for(self, check: Check) -> tuple[Resolver, Story | None]:
        """Return what `check` asks, and the story that it tells; None as a rule."""
        if not self.explains:
            return self.resolver, None
        story = Story(check.name)
        return TellingResolver(self.resolver, story), story


class EnclosedReader(Protocol):
    """Whoever opens the documents and pictures of a message."""

    async def read(self, message: Message) -> None:
        """Put what they say into `message.enclosed`; raises nothing, and ends by itself."""
        ...


class StageRun:
    """One stage of one transaction. Not started until told; closing it cancels what still runs.

    Args:
        checks: Of that stage.
        txn: As it is known at that stage.
        message: At stage MESSAGE.
        means: What the checks are run with.
        answers: What is known already, by the place of the check; who asks is not run for it.
    """

    __slots__ = (
        "_checks",
        "_deadline",
        "_means",
        "_message",
        "_results",
        "_stories",
        "_tasks",
        "_txn",
    )

    def __init__(
        self,
        checks: StageChecks,
        txn: Transaction,
        message: Message | None,
        means: Means,
        answers: Mapping[int, Evidence] = _NO_ANSWERS,
    ) -> None:
        self._checks = checks
        self._txn = txn
        self._message = message
        self._means = means
        self._results: list[Evidence | None] = [answers.get(i) for i in range(len(checks.checks))]
        self._stories: dict[int, Story] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._deadline = 0.0

    def start(self, decided: Decide | None = None) -> None:
        """Run the checks that look and start those that ask.

        Args:
            decided: Asked once all have looked; where it says yes, those that are spared then do
                not ask. None: all ask.
        """
        for told in self._look_all():
            self._means.observe(*told)
        self._start_asks(decided)

    def ask_ahead(self) -> None:
        """Start those that ask alone: what is there to be looked at is not known yet."""
        self._start_asks(None)

    async def start_large(self, decided: Decide | None = None) -> None:
        """Like `start`, with the looking done outside the event loop.

        The checks that ask start afterwards: they read the same document, whose parts are worked
        out when first asked for, and two threads must not do so at once. What they took is counted
        back in the loop, where the counts are shown too.
        """
        for told in await asyncio.to_thread(self._look_all):
            self._means.observe(*told)
        self._start_asks(decided)

    @property
    def answers(self) -> dict[int, Evidence]:
        """What those that ask have answered by now, by their place."""
        results = self._results
        return {i: seen for i, _ in self._checks.asks if (seen := results[i]) is not None}

    @property
    def so_far(self) -> list[Evidence]:
        """What is known by now."""
        return [evidence for evidence in self._results if evidence is not None]

    @property
    def whole(self) -> bool:
        """Whether every check has answered."""
        return None not in self._results

    async def gather(self) -> list[Evidence]:
        """Wait for the answers within the budget and return what every check saw, in order."""
        if self._pending():
            # Answers that are at hand need one step of the loop, and no timer.
            await asyncio.sleep(0)
        if pending := self._pending():
            left_s = self._deadline - self._means.clock()
            await asyncio.wait(pending, timeout=max(0.0, left_s))
        self._cut_off()
        if self._stories:
            self._tell()
        return self.so_far

    def close(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def _pending(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if not task.done()]

    def _start_asks(self, decided: Decide | None) -> None:
        self._deadline = self._means.clock() + self._means.budget_s
        asks = [ask for ask in self._checks.asks if self._results[ask[0]] is None]
        if decided and self._checks.spared and decided(self.so_far):
            self._spare()
            asks = [ask for ask in asks if ask[0] not in self._checks.spared]
        if asks:
            loop = asyncio.get_running_loop()
            self._tasks = [loop.create_task(self._ask(place, check)) for place, check in asks]

    def _spare(self) -> None:
        for place in self._checks.spared:
            self._results[place] = spared(self._checks.checks[place], self._means)

    def _look_all(self) -> list[tuple[str, str, float, float]]:
        """Run the checks that look; return name, result, seconds and begin of each."""
        clock, told = self._means.clock, []
        for place, check in self._checks.looks:
            started, result = clock(), "ok"
            try:
                evidence = check.look(self._txn, self._message)
            except Exception as error:  # noqa: BLE001 - whatever a check does, the message gets its verdict
                evidence, result = failed(check, self._txn, error), "error"
            self._results[place] = evidence
            told.append((check.name, result, clock() - started, started))
        return told

    async def _ask(self, place: int, check: Ask) -> None:
        started = self._means.clock()
        result = "ok"
        ask_for(self._txn.connection.client_ip)
        resolver, story = self._means.resolver_for(check)
        if story is not None:
            # Kept here, for a check that is cut off has one, too.
            self._stories[place] = story
        try:
            evidence = await check.ask(self._txn, self._message, resolver)
        except Exception as error:  # noqa: BLE001 - as above
            evidence, result = failed(check, self._txn, error), "error"
        # A check that outlived its cancellation must not change what was judged already.
        if self._results[place] is None:
            self._results[place] = evidence
            self._means.observe(check.name, result, self._means.clock() - started, started)

    def _tell(self) -> None:
        """Put the stories into the evidence, once."""
        for place, story in self._stories.items():
            if (evidence := self._results[place]) is not None:
                self._results[place] = with_story(evidence, story)
        self._stories = {}

    def _cut_off(self) -> None:
        """Turn every missing answer into a finding."""
        for place, check in self._checks.asks:
            if self._results[place] is None:
                self._results[place] = check_error(check, "timeout")
                budget_s = self._means.budget_s
                self._means.observe(check.name, "timeout", budget_s, self._deadline - budget_s)
        self.close()


def with_story(evidence: Evidence, story: Story | None) -> Evidence:
    """Return `evidence` with `story`, if it tells anything."""
    return evidence._replace(stories=(story,)) if story is not None and story.steps else evidence


def spared(check: Check, means: Means) -> Evidence:
    """Return what stands for `check` where the message is decided without it."""
    evidence = Evidence(spared=(check.name,))
    _, story = means.resolver_for(check)
    if story is None:
        return evidence
    story.decide("not asked, for the message is refused in any case")
    return with_story(evidence, story)


def failed(check: Check, txn: Transaction, error: Exception) -> Evidence:
    """Log that `check` raised, and return the finding that stands for it."""
    _log.error(
        "check failed",
        exc_info=error,
        extra={
            "session_id": txn.connection.session_id,
            "txn_id": txn.txn_id,
            "check": check.name,
            "error": type(error).__name__,
        },
    )
    return check_error(check, type(error).__name__)


def check_error(check: Check, why: str) -> Evidence:
    """Return the finding that stands for what `check` did not say."""
    finding = Finding("CHECK_ERROR", f"{check.name}: {why}", {"check": check.name})
    return Evidence(findings=(finding,))
