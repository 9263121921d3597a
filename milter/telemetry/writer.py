"""A thread that writes log lines, so that the event loop never waits for who reads them."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Literal

from milter.telemetry.log import MAX_LINE, Event, LineFormatter, address_hasher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_WAITING: Final = 10_000
# Up to here events wait as they are and are made into lines together, which costs a third of making
# each where it happens; above it, when the reader is slow, as lines, whose length is bounded.
_MAX_UNMADE: Final = 256
LOGGER: Final = "gatepost"
_SOURCE_FILE: Final = logging._srcfile  # noqa: SLF001
_FLUSH_S: Final = 5.0
# How long lines are gathered before they are written together.
_GATHER_S: Final = 0.05


class LineQueue:
    """Lines between the loop and the thread, bounded.

    When nobody reads the other end, lines above `MAX_WAITING` are dropped and counted; `report`
    makes the line about them, which comes as soon as writing works again.

    Args:
        make: Makes the line of a record.
        report: Makes the line that says how many were dropped.
    """

    def __init__(
        self, make: Callable[[logging.LogRecord], str], report: Callable[[int], str]
    ) -> None:
        self._make = make
        self._report = report
        self._lines: deque[str | Event] = deque()
        self._dropped = 0
        self._lost = 0
        self._reported = 0
        self._filled = threading.Event()
        self._closed = threading.Event()

    def put(self, record: logging.LogRecord) -> None:
        """Take a record."""
        waiting = len(self._lines)
        if waiting >= MAX_WAITING:
            self._dropped += 1
            return
        if waiting < _MAX_UNMADE and isinstance(record, Event):
            self._lines.append(record)
        else:
            self._lines.append(self._make(record))
        if not self._filled.is_set():
            self._filled.set()

    def get(self) -> list[str]:
        """Wait for lines and return all; none means that there will be no more."""
        lines: list[str] = []
        while not lines:
            self._filled.wait()
            # To wake a thread for each line would cost more than to make and write it.
            self._closed.wait(_GATHER_S)
            self._filled.clear()
            # A line may be taken between its `append` and the `set` of `put`, which then wakes us
            # for nothing: only the end may answer with nothing.
            lines = [self._next_line() for _ in range(len(self._lines))]
            if self._closed.is_set():
                self._filled.set()
                break
        if not lines and not self._dropped:
            # At the end, what cannot be written is not tried for ever.
            return []
        dropped, self._dropped = self._dropped, 0
        self._reported, self._lost = dropped + self._lost, 0
        if self._reported:
            lines.append(self._report(self._reported))
        return lines

    def lose(self, count: int, *, last: bool) -> None:
        """Count lines of the last `get` that could not be written.

        Args:
            count: How many.
            last: Whether the last one is among them, which may be our own about others.
        """
        self._lost += count + (self._reported - 1 if last and self._reported else 0)

    def _next_line(self) -> str:
        line = self._lines.popleft()
        return line if isinstance(line, str) else self._make(line)

    def close(self) -> None:
        """Let `get` come to its end."""
        self._closed.set()
        self._filled.set()


class _Output:
    """A descriptor that may take a part of what is written, or nothing for a while."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._torn = False

    def write(self, block: bytes) -> int:
        """Write whole lines; return how many of them were lost, the last ones."""
        # What follows half a line begins a line of its own, or both are none.
        data = b"\n" + block if self._torn else block
        written = 0
        with contextlib.suppress(OSError):
            while written < len(data):
                written += self._write_some(data[written:])
        if written:
            self._torn = data[written - 1 : written] != b"\n"
        return block.count(b"\n") - max(0, data[:written].count(b"\n") - (len(data) - len(block)))

    def _write_some(self, data: bytes) -> int:
        while True:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:
                # Whoever else has this pipe, its reader or a parent of ours, may have set it so.
                room = select.poll()
                room.register(self._fd, select.POLLOUT)
                if not room.poll(_FLUSH_S * 1000):
                    raise


def _write(fd: int, queue: LineQueue) -> None:
    output = _Output(fd)
    while lines := queue.get():
        lost = last = 0
        for block in _blocks(lines):
            last = output.write(block)
            lost += last
        queue.lose(lost, last=bool(last))


def _blocks(lines: list[str]) -> Iterator[bytes]:
    """Yield whole lines, as many at once as a pipe takes without mixing them with others'."""
    block = b""
    for line in lines:
        data = line.encode("ascii", "backslashreplace") + b"\n"
        if len(block) + len(data) > MAX_LINE:
            yield block
            block = b""
        block += data
    if block:
        yield block


class _LineHandler(logging.Handler):
    """Leaves the writing to the thread."""

    def __init__(self, queue: LineQueue) -> None:
        super().__init__()
        self._queue = queue

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record without the lock that others need: threads may share the queue."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record."""
        try:
            self._queue.put(record)
        except Exception:  # noqa: BLE001 - logging's own rule: a bad record never stops the caller
            self.handleError(record)


def _find_out(wanted: bool) -> None:
    """Have logging find out thread, process and source line of every record, or not.

    None of them stands in our lines, and together they cost as much as the line itself; these are
    the switches that Python's logging how-to names for it.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = wanted
    logging._srcfile = _SOURCE_FILE if wanted else None  # noqa: SLF001


class Logging:
    """Logging of one process, from here to `close`.

    Args:
        form: JSON objects or plain words.
        level: Least level of our own lines; other libraries write from warning up.
        hash_key: With it, mail addresses are replaced by a hash under this key.
        fd: Where lines go, whole lines with each system call.
    """

    def __init__(
        self,
        form: Literal["json", "text"] = "json",
        level: str = "info",
        hash_key: bytes | None = None,
        fd: int = 2,
    ) -> None:
        self._formatter = LineFormatter(form, address_hasher(hash_key) if hash_key else None)
        self._queue = LineQueue(self._formatter.format, self._about_dropped)
        self._handler = _LineHandler(self._queue)
        # A daemon thread: a reader that never reads must not keep the process alive.
        self._thread = threading.Thread(
            target=_write, args=(fd, self._queue), name="log", daemon=True
        )
        self._thread.start()
        logging.getLogger().addHandler(self._handler)
        logging.getLogger(LOGGER).setLevel(level.upper())
        logging.captureWarnings(capture=True)
        _find_out(False)

    def close(self) -> None:
        """Write what waits, for at most five seconds, and stop logging."""
        self.stop()
        self._thread.join(_FLUSH_S)

    def stop(self) -> None:
        """Stop logging; what waits is still written."""
        logging.captureWarnings(capture=False)
        _find_out(True)
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()
        self._queue.close()

    def _about_dropped(self, count: int) -> str:
        fields = {"name": LOGGER, "levelname": "ERROR", "msg": "log lines dropped"}
        return self._formatter.format(logging.makeLogRecord({**fields, "dropped": count}))
