"""The table of faults as a whole; its file is the last of the folder, and so is its test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.faults import test_client, test_groups, test_next_hop, test_processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fault_ledger import Ledger

pytestmark = [pytest.mark.slow, pytest.mark.debian]

_MESSAGES: Final = 5000
_KINDS: Final = (
    *test_client.KINDS,
    *(fault.name for fault in test_next_hop.FAULTS),
    *(fault.kind.name for fault in test_groups.FAULTS),
    *test_processes.KINDS,
)


def test_whole_table_has_every_kind_and_thousands_of_messages(
    ledger: Ledger, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "faults.txt").write_text(ledger.table, "utf-8")
    record_property("faults", ledger.table)
    print("\n" + ledger.table)  # noqa: T201 - shown with `pytest -s`
    kinds = {row.kind for row in ledger.rows}
    if kinds != set(_KINDS):
        pytest.skip(f"only {len(kinds)} of {len(_KINDS)} kinds were run")
    assert ledger.messages >= _MESSAGES
