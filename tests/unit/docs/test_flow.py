"""docs/flow.md names the stages, checks and modules that there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from milter.checks import catalogue
from milter.core.connection import Direction
from milter.core.transaction import Stage

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = (("combines", "combine"), ("asks", "ask"), ("looks", "look"))
_COLUMNS = (Direction.INBOUND, Direction.INTERNAL, Direction.OUTBOUND)


def _flow(checkout: Path) -> str:
    return (checkout / "docs" / "flow.md").read_text("utf-8")


def test_flow_names_the_stages_in_their_order(checkout: Path) -> None:
    said = re.search(r"at which it is known: ([A-Z, ]+)\.", _flow(checkout))

    stages = [stage.name for stage in Stage]

    assert said is not None
    assert said[1].split(", ") == stages


def test_flow_shows_every_check_with_its_stage_and_directions(checkout: Path) -> None:
    rows = re.findall(r"^\| (.+) \|$", _flow(checkout), re.MULTILINE)[1:]

    checks = [
        " | ".join(
            (
                check.name,
                check.stage.name,
                next(word for word, method in _KINDS if hasattr(check, method)),
                *("yes" if direction in check.directions else "-" for direction in _COLUMNS),
            )
        )
        for check in catalogue._CLASSES
    ]

    # The table's second line has no space inside its bars, so that only its head is left out.
    assert sorted(rows) == sorted(checks)


def test_flow_names_modules_that_exist(checkout: Path) -> None:
    named = set(re.findall(r"`((?:milter|policies|reputation)/[a-z0-9_/]+\.py)`", _flow(checkout)))

    missing = [path for path in sorted(named) if not (checkout / path).is_file()]

    assert len(named) > 10
    assert missing == []


def test_flow_fits_one_page_beside_its_table(checkout: Path) -> None:
    lines = _flow(checkout).splitlines()
    assert len([line for line in lines if not line.startswith("|")]) <= 80
