"""How the suite is spread over processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer

_FAULTS = "tests/faults/"


class FilesAndFaults(LoadFileScheduling):  # type: ignore[misc]  # xdist ships no types
    """A file runs in one process; all files of the faults do, for their table is summed."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        # By name, so that what starts daemons comes first and the many small files last: by number
        # of tests, one process would be left alone for minutes with files of a few long ones.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return _FAULTS if nodeid.startswith(_FAULTS) else super()._split_scope(nodeid)
