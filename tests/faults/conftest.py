"""One ledger for the whole table of faults; `test_whole_table` prints it at the end."""

from __future__ import annotations

import pytest

from tests.support.fault_ledger import Ledger


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    return Ledger()
