"""Fixtures of several tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from policies.loader import load_policies
from reputation.sqlite import SqliteStore
from tests.support.pipeline import Texts
from tests.support.senders import POLICY, ZONE
from tests.support.site import Clock, Site, a_site

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from reputation.store import Store


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Site]]:
    """A site over a file; called again, the same site after a restart."""

    def open_store() -> Store:
        return SqliteStore(tmp_path / "s.db", os.urandom, busy_timeout_s=5.0)

    def make(clock: Clock, policy: str = POLICY, **more: Any) -> AbstractAsyncContextManager[Site]:
        chosen = load_policies(Texts({"policy.yaml": policy}), "policy.yaml")
        return a_site(open_store, clock, chosen, ZONE, **more)

    return make
