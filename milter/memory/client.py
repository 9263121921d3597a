"""Questions to the store and writes to it, from one event loop.

Two lanes: questions do not wait behind batches. A question has a deadline, and after one that was
not answered in time the next ones fail at once for a while, so that a store that hangs costs one
deadline and not one for each message. Writes are gathered and done in batches; nobody waits for
them. What cannot be written waits within bounds and is dropped beyond them, counted.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeVar

from milter.memory.lane import Lane
from milter.memory.presence import Presence
from reputation.errors import StoreError
from reputation.store import Append

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reputation.store import Store, Write

T = TypeVar("T")
Make = Callable[["Store"], "Sequence[Write]"]
# The label of a metric, so a closed set.
Operation = Literal[
    "put", "present", "records", "replace", "take", "faded", "follow", "search", "newest", "sums",
    "keys", "forget", "write", "expire",
]  # fmt: skip

_log: Final = logging.getLogger("gatepost.memory")

# How long writes are gathered; what a worker that is killed takes with it at most.
GATHER_S: Final = 0.2
_BATCH: Final = 2000
_MOST_WRITES: Final = 20_000
_MOST_BYTES: Final = 32 * 2**20
_MOST_QUESTIONS: Final = 64
# After a failure the store is left in peace, longer each time while writes keep failing.
_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
_EXPIRE_EVERY_S: Final = 60.0
_EXPIRE_AT_ONCE: Final = 5000
# Between two such steps, so that others get at a file.
_STEP_S: Final = 0.1
_START_S: Final = 2.0
_CLOSE_S: Final = 2.0


class Counts(Protocol):
    """What is told of the store; `milter.telemetry.metrics.Metrics` is one."""

    def store(self, operation: str, seconds: float) -> None:
        """Count an operation."""
        ...

    def store_failed(self, reason: str) -> None:
        """Count a failure."""
        ...

    def store_dropped(self, writes: int) -> None:
        """Count writes that were given up."""
        ...


class StoreClient:
    """One for each process; used by its event loop alone.

    Args:
        open_store: Opens the store; called in threads.
        mend: Called in a thread when the store says that it is corrupt.
        gather_s: How long writes wait for others to go with them.
        counts: Told what happens.
        clock: Seconds since the epoch, for what expires.
        monotonic: Seconds, never going back.
        timeout_s: How long a question waits for its answer, where it does not say.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        *,
        counts: Counts,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        timeout_s: float = 0.5,
        mend: Callable[[], None] = lambda: None,
        gather_s: float = GATHER_S,
    ) -> None:
        self._questions = Lane("store-questions", open_store, mend)
        self._batches = Lane("store-batches", open_store, mend)
        self._counts = counts
        self.clock = clock
        self._monotonic = monotonic
        self._timeout_s = timeout_s
        self._gather_s = gather_s
        self._presence = Presence()
        self._asking = 0
        self._failed: StoreError | None = None
        # Apart from it, for a store that is full still answers questions.
        self._unwritten: StoreError | None = None
        self._asked_again_at = 0.0
        self._waiting: deque[Write | Make] = deque()
        self._waiting_bytes = 0
        # What is being written, until it is known to be: tried again under the same name.
        self._batch: list[Write | Make] = []
        self._attempt = b""
        self._writing: asyncio.Task[None] | None = None
        self._dropped = 0

    @property
    def unwritable(self) -> StoreError | None:
        """Why nothing can be remembered now; None: it can, or merely waits for a lock."""
        failed = self._unwritten
        return None if failed is None or failed.reason == "locked" else failed

    async def ask(
        self, operation: Operation, question: Callable[[Store], T], timeout_s: float | None = None
    ) -> T:
        """Return what the store answers.

        Args:
            operation: What it is counted as.
            question: Asks the store, in a thread.
            timeout_s: How long the answer is waited for; None: as long as settings say.

        Raises:
            StoreError: There is no answer: the check that asked is in temperror.
        """
        if self._failed is not None and self._monotonic() < self._asked_again_at:
            raise self._failed
        if self._asking >= _MOST_QUESTIONS:
            raise self.failed(StoreError("too many questions at once", reason="slow"))
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        return await self.insist(operation, question, wait_s)

    async def insist(
        self, operation: Operation, question: Callable[[Store], T], timeout_s: float
    ) -> T:
        """Like `ask`, though the store failed or is busy: for what must not be missed.

        No more of these wait than there are sessions.

        Raises:
            StoreError: There is no answer.
        """
        started = self._monotonic()
        self._asking += 1
        answer_soon = self._questions.submit(question)
        # A timer of our own costs a third of `asyncio.timeout`.
        deadline = asyncio.get_running_loop().call_later(timeout_s, _too_late, answer_soon)
        try:
            answer = await answer_soon
        except StoreError as err:
            raise self.failed(err) from err
        finally:
            deadline.cancel()
            self._asking -= 1
            self._counts.store(operation, self._monotonic() - started)
        if self._unwritten is None:
            self._recovered()
        return answer

    def write(self, *writes: Write | Make) -> None:
        """Do `writes` soon, in their order; never waits and never fails.

        A function among them is called in the thread that writes: for keys that need a secret of
        the store, and for work that the event loop should not do. It may be called again. One that
        holds much says how much, in an attribute `size_bytes`.
        """
        for one in writes:
            size = _size(one)
            # The last one may be larger than all the rest: a whole message that is to be kept.
            full = bool(size) and self._waiting_bytes >= _MOST_BYTES
            if full or len(self._waiting) >= _MOST_WRITES:
                self._drop(1)
                continue
            self._waiting.append(one)
            self._waiting_bytes += size
        if self._writing is None and self._waiting:
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def run(self, operation: Operation, job: Callable[[Store], T]) -> T:
        """Return what `job` gives, done behind the batches that wait, however long it takes.

        For work for which nobody waits; a question would delay other questions.

        Raises:
            StoreError: It could not be done.
        """
        started = self._monotonic()
        try:
            return await self._batches.submit(job)
        finally:
            self._counts.store(operation, self._monotonic() - started)

    async def start(self) -> None:
        """Open the store, where it can be had soon; else it is opened when it is there again."""
        now = self.clock()
        with suppress(StoreError):
            await self.insist("present", lambda _: None, _START_S)
        # A server is looked through for it: not where the questions of mail wait.
        try:
            async with asyncio.timeout(_START_S):
                await self.run("put", lambda store: self._presence.arrive(store, now))
        except StoreError as err:
            self.failed(err)
        except TimeoutError:
            return

    async def tend(self) -> None:
        """Remove what expired, again and again; run it as a task."""
        while True:
            await asyncio.sleep(_EXPIRE_EVERY_S)
            try:
                await self._expire()
            except StoreError as err:
                self.failed(err)

    async def _expire(self) -> None:
        """Remove all that expired, some at a time: a flood of keys outruns so many a minute."""
        while True:
            removed = await self.run("expire", lambda s: s.expire(self.clock(), _EXPIRE_AT_ONCE))
            if removed < _EXPIRE_AT_ONCE:
                return
            await asyncio.sleep(_STEP_S)

    async def flush(self, timeout_s: float) -> None:
        """Wait until all is written that waits now, for `timeout_s` at most."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=timeout_s)

    async def close(self) -> None:
        """Write what waits, for a short time, and let go of the store."""
        await self.flush(_CLOSE_S)
        if self._writing is not None:
            self._writing.cancel()
        if left := len(self._batch) + len(self._waiting):
            self._drop(left)
            self._waiting.clear()
        with suppress(StoreError):
            await self.ask("forget", self._presence.leave)
        # A store that hangs is not waited for: its threads end with the process.
        for lane in (self._questions, self._batches):
            await asyncio.to_thread(lane.close, _CLOSE_S)

    async def _write_soon(self) -> None:
        """Write until nothing waits; the one task of this object."""
        pause_s = _PAUSE_S
        try:
            await asyncio.sleep(self._gather_s)
            while self._batch or self._waiting:
                if await self._write_some():
                    pause_s = _PAUSE_S
                else:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        finally:
            self._writing = None

    async def _write_some(self) -> bool:
        """Write one batch; return whether it is done with, written or given up."""
        if not self._batch:
            self._batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            self._attempt = os.urandom(12)
        batch, attempt = self._batch, self._attempt
        try:
            await self.run("write", lambda store: store.write(made(batch, store), attempt))
        except StoreError as err:
            self._unwritten = self.failed(err)
            if err.temporary:
                return False
            self._drop(len(batch))
        except Exception:  # noqa: BLE001 - logged, and counted as dropped
            # A bug of ours in one of them: what waits behind shall not wait for ever.
            _log.exception("batch failed")
            self._drop(len(batch))
        else:
            self._unwritten = None
            self._recovered()
        self._waiting_bytes -= sum(_size(one) for one in batch)
        self._batch = []
        return True

    def failed(self, err: StoreError) -> StoreError:
        """Count a failure and log the first one; return it, to be raised."""
        self._counts.store_failed(err.reason)
        if self._failed is None:
            fields = {"error": err.what, "temporary": err.temporary}
            _log.warning("store failed", extra=fields)
        self._failed = err
        # A full store still answers.
        if err.reason != "full":
            self._asked_again_at = self._monotonic() + _PAUSE_S
        return err

    def _recovered(self) -> None:
        if self._failed is not None:
            self._failed = None
            _log.warning("store works again", extra={"dropped": self._dropped})
            self._dropped = 0

    def _drop(self, writes: int) -> None:
        if not self._dropped:
            _log.error("writes to the store are dropped", extra={"dropped": writes})
        self._dropped += writes
        self._counts.store_dropped(writes)


def made(batch: Iterable[Write | Make], store: Store) -> list[Write]:
    """Return the writes of `batch`, those of its functions included."""
    writes: list[Write] = []
    for one in batch:
        writes.extend(one(store) if callable(one) else (one,))
    return writes


def _too_late(answer: asyncio.Future[T]) -> None:
    if not answer.done():
        answer.set_exception(StoreError("no answer in time", reason="slow"))


def _size(one: Write | Make) -> int:
    """Return how many bytes `one` holds, where it holds many; a function may say so itself."""
    if isinstance(one, Append):
        return len(one.payload)
    return getattr(one, "size_bytes", 0)
