"""Every endpoint of the port, by who answers it.

The supervisor has the port and knows the daemon as a whole; it passes on to a worker what needs
policies, the store or the token. A new endpoint is declared beside its handler, named here, and its
route is given where the process that answers it is put together (`server`, `app.scan_port`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.http.checks import CHECKS
from milter.http.health import HEALTHZ, READYZ, STATUS
from milter.http.history import HISTORY, HISTORY_ENTRY
from milter.http.learn import LEARN
from milter.http.lists import LISTS
from milter.http.metrics import METRICS
from milter.http.openapi import OPENAPI
from milter.http.page import ASSETS, PAGE
from milter.http.rspamd.check import CHECK
from milter.http.rspamd.learn import LEARN_HAM, LEARN_SPAM
from milter.http.rspamd.state import PING, STAT, SYMBOLS
from milter.http.scan import SCAN
from milter.http.statistics import STATISTICS

if TYPE_CHECKING:
    from milter.http.endpoint import Endpoint

OF_SUPERVISOR: Final[tuple[Endpoint, ...]] = (
    PAGE,
    *ASSETS,
    HEALTHZ,
    READYZ,
    METRICS,
    LISTS,
    STATISTICS,
    OPENAPI,
    STATUS,
    CHECKS,
)
OF_WORKERS: Final[tuple[Endpoint, ...]] = (
    SCAN,
    LEARN,
    CHECK,
    LEARN_SPAM,
    LEARN_HAM,
    PING,
    STAT,
    SYMBOLS,
    HISTORY,
    HISTORY_ENTRY,
)
