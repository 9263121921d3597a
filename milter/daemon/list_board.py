"""Where each worker writes down how the DNS lists are: a small file a slot, in our own folder.

Each worker looks after its lists itself (`docs/decisions/list-health.md`). What needs all of them
is little: how often they asked together today, and what the supervisor shows. A worker that takes
over a slot goes on counting where the one before it ended; the folder goes with the daemon.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from milter.http.lists import ListStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from milter.checks.dnslists.health import Report

DAY_S: Final = 86_400
# The state of several workers is that of the one that believes a list least.
_WORST_FIRST: Final = ("aside", "spent", "trial", "new", "up")


class ListBoard:
    """What one worker writes and reads.

    Args:
        folder: The same for all workers.
        slot: Of this worker.
        day: Days since 1970, UTC.
    """

    def __init__(self, folder: Path, slot: int, day: int) -> None:
        self._folder = folder
        self._slot = slot
        self._day = day
        self._carried = _asked(_read(self._path), day)
        self._written = b""

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._slot}.json"

    def write(self, reports: Sequence[Report], pid: int, day: int) -> None:
        """Write down `reports`; whoever reads sees the old file or the new one, whole."""
        self._turn_to(day)
        lists = [asdict(report) for report in reports]
        for each in lists:
            each["asked"] += self._carried.get(each["zone"], 0)
        data = json.dumps({"pid": pid, "day": day, "lists": lists}).encode()
        if data == self._written:
            return
        # A disk that is full is no reason to take no mail.
        with suppress(OSError):
            draft = self._path.with_suffix(".new")
            draft.write_bytes(data)
            draft.replace(self._path)
            self._written = data

    def asked_by_others(self, day: int) -> Mapping[str, int]:
        """Return how often each zone was asked on `day` by all but this worker itself."""
        self._turn_to(day)
        total = dict(self._carried)
        for path in self._boards():
            if path != self._path:
                for zone, asked in _asked(_read(path), self._day).items():
                    total[zone] = total.get(zone, 0) + asked
        return total

    def _turn_to(self, day: int) -> None:
        """Leave what was asked on another day behind."""
        if day != self._day:
            self._day, self._carried = day, {}

    def _boards(self) -> list[Path]:
        # No descriptor may be left: then others are counted at the next turn.
        with suppress(OSError):
            return list(self._folder.glob("*.json"))
        return []


def read_boards(folder: Path, workers: Mapping[int, int]) -> list[ListStatus]:
    """Return the lists as the workers see them together, by zone.

    Args:
        folder: Where they write.
        workers: Process id by slot of those that take mail.
    """
    boards = [_read(folder / f"{slot}.json") for slot in workers]
    pids = set(workers.values())
    said: dict[str, list[Mapping[str, Any]]] = {}
    for board in boards:
        if board.get("pid") in pids:
            for each in board["lists"]:
                said.setdefault(each["zone"], []).append(each)
    return [_together(zone, rows) for zone, rows in sorted(said.items())]


def _together(zone: str, rows: Sequence[Mapping[str, Any]]) -> ListStatus:
    worst = min(rows, key=lambda row: _WORST_FIRST.index(row["state"]))
    return ListStatus(
        zone=zone,
        effect=worst["effect"],
        state=worst["state"],
        reason=worst["reason"],
        since=worst["since"],
        retry_s=worst["retry_s"],
        asked=sum(row["asked"] for row in rows),
        a_day=worst["a_day"],
        workers=len(rows),
        workers_up=sum(row["state"] == "up" for row in rows),
    )


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        board = json.loads(path.read_bytes())
        if isinstance(board, dict) and isinstance(board.get("lists"), list):
            return board
    return {}


def _asked(board: Mapping[str, Any], day: int) -> dict[str, int]:
    return dict(_counts(board["lists"])) if board.get("day") == day else {}


def _counts(lists: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, int]]:
    for each in lists:
        yield each["zone"], each["asked"]
