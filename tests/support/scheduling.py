"""How the suite is spread over processes."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

_FAULTS = "tests/faults/"


class FilesAndFaults(LoadFileScheduling):  # type: ignore[misc]  # xdist ships no types
    """A file runs in one process; all files of the faults do, for their table is summed."""

    def _split_scope(self, nodeid: str) -> str:
        return _FAULTS if nodeid.startswith(_FAULTS) else super()._split_scope(nodeid)
