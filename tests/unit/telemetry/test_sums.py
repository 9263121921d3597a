from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from milter.telemetry.metrics import BUCKETS
from milter.telemetry.sums import MAX_SERIES, OTHER, Sums, Timing, Timings


def _histogram(*labels: str) -> tuple[CollectorRegistry, Histogram]:
    registry = CollectorRegistry()
    return registry, Histogram("seconds", "Words", labels, registry=registry, buckets=BUCKETS)


def _without_creation(registry: CollectorRegistry) -> list[bytes]:
    lines = generate_latest(registry).splitlines()
    return [line for line in lines if b"_created" not in line]


@pytest.mark.parametrize(
    "durations",
    [
        pytest.param([], id="nothing"),
        pytest.param([0.0], id="zero"),
        pytest.param(list(BUCKETS), id="on-every-bound"),
        pytest.param([bound * 1.001 for bound in BUCKETS], id="above-every-bound"),
        pytest.param([0.003, 0.003, 0.5, 1e6], id="several-in-a-bucket-and-beyond-the-last"),
    ],
)
def test_timing_shows_what_the_library_would_have_observed(durations: list[float]) -> None:
    ours, series = _histogram()
    theirs, observed = _histogram()
    timing = Timing(series, BUCKETS)
    for seconds in durations:
        timing.add(seconds)
        observed.observe(seconds)
    timing.flush()
    assert _without_creation(ours) == _without_creation(theirs)


def test_timing_flushed_twice_counts_once_and_goes_on() -> None:
    registry, series = _histogram()
    timing = Timing(series, BUCKETS)
    timing.add(0.5)
    timing.flush()
    timing.flush()
    assert registry.get_sample_value("seconds_count") == 1
    timing.add(0.25)
    timing.flush()
    assert registry.get_sample_value("seconds_count") == 2
    assert registry.get_sample_value("seconds_sum") == 0.75


def test_timings_beyond_the_bound_are_observed_as_other() -> None:
    registry, family = _histogram("stage")
    timings = Timings(lambda label: Timing(family.labels(label), BUCKETS))
    for number in range(MAX_SERIES + 3):
        timings.add(f"s{number}", 1.0)
    timings.flush()
    assert registry.get_sample_value("seconds_count", {"stage": "s0"}) == 1
    assert registry.get_sample_value("seconds_count", {"stage": f"s{MAX_SERIES}"}) is None
    assert registry.get_sample_value("seconds_count", {"stage": OTHER}) == 3


def test_sums_show_only_what_was_flushed() -> None:
    registry = CollectorRegistry()
    sums = Sums(Counter("bytes", "Words", ("kind",), registry=registry), 1)
    sums.add(("a",), 10)
    sums.add(("a",), 5)
    assert registry.get_sample_value("bytes_total", {"kind": "a"}) == 0
    sums.flush()
    sums.flush()
    assert registry.get_sample_value("bytes_total", {"kind": "a"}) == 15
