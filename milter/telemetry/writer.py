"""A thread that writes log lines, so that the event loop never waits for who reads them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from logging.handlers import QueueHandler
from typing import TYPE_CHECKING, Final, Literal

from milter.telemetry.log import LineFormatter, address_hasher

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING: Final = 10_000
LOGGER: Final = "gatepost"
_FLUSH_S: Final = 5.0


class LineQueue:
    """Finished lines between the loop and the thread, bounded.

    When nobody reads the other end, lines above `MAX_WAITING` are dropped and counted; `report`
    makes the line about them, which comes as soon as writing works again.
    """

    def __init__(self, report: Callable[[int], str]) -> None:
        self._report = report
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._closed = False
        self._changed = threading.Condition()

    def put_nowait(self, record: logging.LogRecord) -> None:
        """Take a record whose `msg` is the finished line, as `QueueHandler` makes it."""
        with self._changed:
            if len(self._lines) >= MAX_WAITING:
                self._dropped += 1
                return
            self._lines.append(str(record.msg))
            self._changed.notify()

    def get(self) -> list[str]:
        """Wait for lines and return all; none means that there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            lines = list(self._lines)
            self._lines.clear()
            if self._dropped:
                lines.append(self._report(self._dropped))
                self._dropped = 0
            return lines

    def close(self) -> None:
        """Let `get` come to its end."""
        with self._changed:
            self._closed = True
            self._changed.notify()


def _write(fd: int, queue: LineQueue) -> None:
    while lines := queue.get():
        for line in lines:
            # There is nobody left to tell that the log cannot be written.
            with contextlib.suppress(OSError):
                os.write(fd, line.encode("ascii", "backslashreplace") + b"\n")


class Logging:
    """Logging of one process, from here to `close`.

    Args:
        form: JSON objects or plain words.
        level: Least level of our own lines; other libraries write from warning up.
        hash_key: With it, mail addresses are replaced by a hash under this key.
        fd: Where lines go, each with one system call.
    """

    def __init__(
        self,
        form: Literal["json", "text"] = "json",
        level: str = "info",
        hash_key: bytes | None = None,
        fd: int = 2,
    ) -> None:
        self._formatter = LineFormatter(form, address_hasher(hash_key) if hash_key else None)
        self._queue = LineQueue(self._about_dropped)
        self._handler: QueueHandler = QueueHandler(self._queue)
        self._handler.setFormatter(self._formatter)
        # A daemon thread: a reader that never reads must not keep the process alive.
        self._thread = threading.Thread(
            target=_write, args=(fd, self._queue), name="log", daemon=True
        )
        self._thread.start()
        logging.getLogger().addHandler(self._handler)
        logging.getLogger(LOGGER).setLevel(level.upper())
        logging.captureWarnings(capture=True)

    def close(self) -> None:
        """Write what waits, for at most five seconds, and stop logging."""
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()
        self._queue.close()
        self._thread.join(_FLUSH_S)

    def _about_dropped(self, count: int) -> str:
        fields = {"name": LOGGER, "levelname": "ERROR", "msg": "log lines dropped"}
        return self._formatter.format(logging.makeLogRecord({**fields, "dropped": count}))
