from __future__ import annotations

import pytest

from policies.errors import ConfigErrors
from policies.rates import Rate, seconds
from tests.support.pipeline import policies

START = "version: 1\nname: test\nthresholds: {tag: 5}\n"
GOOD = "rates: [{id: BUSY, by: [account], limit: 10, per: 10m, weight: 1, describe: x}]\n"


def test_rate_is_in_the_plan_where_its_symbol_counts() -> None:
    assert policies(START + GOOD).plan.rates == (Rate("BUSY", ("account",), "messages", 10, 600),)


def test_rate_that_nobody_reads_is_not_counted() -> None:
    assert policies(START + GOOD.replace("weight: 1", "weight: 0")).plan.rates == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param(GOOD.replace("BUSY", "SPF_FAIL"), "SPF_FAIL exists already", id="taken"),
        pytest.param(GOOD.replace("10m", "10 minutes"), "a time such as", id="no-time"),
        pytest.param(GOOD.replace("10m", "0m"), "a time such as", id="no-time-at-all"),
        pytest.param(GOOD.replace("account", "acc"), "acc", id="by-nothing-known"),
        pytest.param(GOOD.replace("limit: 10", "limit: 0"), "limit", id="nothing-at-all"),
        pytest.param(GOOD.replace("[account]", "[]"), "by", id="by-nothing"),
    ],
)
def test_rate_mistakes_are_told(text: str, what: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        policies(START + text)

    assert what in str(caught.value.errors[0])


@pytest.mark.parametrize(("text", "is_s"), [("30s", 30), ("10m", 600), ("1h", 3600), ("1d", 86400)])
def test_seconds_of_a_time(text: str, is_s: float) -> None:
    assert seconds(text) == is_s
