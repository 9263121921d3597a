"""Where third-party test data lies: no part of the project, so tests skip where it is missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parents[2]

SHARED: Final = Path(os.environ.get("GATEPOST_SHARED") or _CHECKOUT.parent / "shared")
