from __future__ import annotations

import pytest

from milter.checks.connection import ConnectionCheck
from tests.support.checks import a_transaction, looked, symbols_of


@pytest.mark.parametrize(("early", "symbols"), [(True, ["EARLY_TALKER"]), (False, [])])
def test_connection_early_talker_is_seen(early: bool, symbols: list[str]) -> None:
    txn = a_transaction(early_talker=early)
    assert symbols_of(looked(ConnectionCheck(), txn=txn)) == symbols
