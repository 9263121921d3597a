"""The chains of the ARC test suite and of other projects, against ours.

Three of its 86 cases are judged as the standard has it, docs/decisions/arc.md says why.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml

from milter.auth.arc import check_arc
from milter.dns.fake import FakeResolver
from milter.message.lines import with_crlf
from tests.support.third_party import SHARED

DATA = SHARED / "conformance/arc"
SUITE = DATA / "valimail/arc-draft-validation-tests.yml"
STATUS_BY_RFC = {
    "cv_fail_i2_as2_fail": "fail",
    "cv_fail_i2_as1_fail": "fail",
    "ams_fields_c_na": "fail",
}

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not DATA.exists(), reason=f"no ARC test data at {DATA}"),
]


def cases() -> list[Any]:
    if not SUITE.exists():
        return []
    with SUITE.open(encoding="utf-8") as file:
        return [
            pytest.param(case, scenario["txt-records"], id=name)
            for scenario in yaml.safe_load_all(file)
            if scenario
            for name, case in scenario["tests"].items()
        ]


def test_suite_is_whole() -> None:
    assert len(cases()) == 86


@pytest.mark.parametrize(("case", "records"), cases())
def test_chain_has_the_status_of_the_suite(
    case: dict[str, str], records: dict[str, str], request: pytest.FixtureRequest
) -> None:
    zone = {name: {"TXT": ["".join(text.split("\n"))]} for name, text in records.items()}
    message = with_crlf(case["message"].encode())

    result = asyncio.run(check_arc(message, FakeResolver(zone), now=1_500_000_000))

    name = request.node.callspec.id
    expected = STATUS_BY_RFC.get(name) or str(case["cv"] or "none").lower()
    assert (result.result.value, bool(result.reason)) == (expected, expected == "fail"), result
