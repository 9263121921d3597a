from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, get_args

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from milter.http.health import ReloadResult
from milter.telemetry.metric_table import METRICS, PREFIX
from milter.telemetry.metrics import Metrics, SupervisorMetrics
from milter.telemetry.sums import MAX_SERIES, OTHER
from reputation.errors import Reason

if TYPE_CHECKING:
    import pytest


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.flush()
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def _fill(metrics: Metrics) -> None:
    metrics.message("inbound", "inbound", "tag", 2048)
    metrics.bytes_saved("rcpt", 10)
    metrics.session_opened()
    metrics.session_opened()
    metrics.session_closed(1.5)
    metrics.session_refused("full")
    metrics.scan(0.01)
    metrics.check("spf", "ok", 0.003)
    metrics.symbol("SPF_FAIL")
    metrics.kind("fraud")
    metrics.policy("balanced", "tag")
    metrics.shadow_difference("next", "pass", "tag")
    metrics.dns("answer", 0.02)
    metrics.dns_answer("hit")
    metrics.dns_list("bl.example", "listed", 0.02)
    metrics.dns_list_up("bl.example", up=True)
    metrics.next_hop("final", 0.1)
    metrics.forged_identity("xclient")
    metrics.milter_broken("malformed")
    metrics.store("put", 0.001)
    metrics.store_failed("full")
    metrics.store_dropped(3)
    metrics.aftermath_dropped()
    metrics.refusal_not_kept()
    metrics.lessons("spam", 4)
    metrics.sure_lesson(spam=False)
    metrics.agreement(agrees=True)


def test_metrics_every_call_is_seen_in_the_right_series() -> None:
    metrics = Metrics()
    _fill(metrics)
    flow = {"listener": "inbound", "direction": "inbound", "action": "tag"}
    assert _value(metrics, "messages_total", **flow) == 1
    assert _value(metrics, "message_bytes_total", **flow) == 2048
    assert _value(metrics, "bytes_saved_total", stage="rcpt") == 10
    assert _value(metrics, "store_errors_total", reason="full") == 1
    assert _value(metrics, "store_writes_dropped_total") == 3
    assert _value(metrics, "classifier_lessons_total", label="spam") == 4
    assert _value(metrics, "classifier_sure_lessons_total", label="ham") == 1
    assert _value(metrics, "classifier_agreement_total", result="agrees") == 1
    assert _value(metrics, "sessions") == 1
    assert _value(metrics, "session_seconds_sum") == 1.5
    assert _value(metrics, "sessions_refused_total", reason="full") == 1
    assert _value(metrics, "check_results_total", check="spf", result="ok") == 1
    assert _value(metrics, "check_seconds_count", check="spf") == 1
    assert _value(metrics, "dns_list_queries_total", zone="bl.example", outcome="listed") == 1
    assert _value(metrics, "dns_list_seconds_sum", zone="bl.example") == 0.02
    assert _value(metrics, "dns_list_up", zone="bl.example") == 1
    assert _value(metrics, "next_hop_seconds_bucket", stage="final", le="0.1") == 1
    assert _value(metrics, "next_hop_seconds_bucket", stage="final", le="0.05") == 0


def test_metrics_flush_moves_everything_once() -> None:
    metrics = Metrics()
    _fill(metrics)
    before = generate_latest(metrics.registry)
    metrics.flush()
    flushed = generate_latest(metrics.registry)
    metrics.flush()
    assert before != flushed
    assert generate_latest(metrics.registry) == flushed
    _fill(metrics)
    assert _value(metrics, "bytes_saved_total", stage="rcpt") == 20
    assert _value(metrics, "sessions") == 2
    assert _value(metrics, "session_seconds_sum") == 3


def test_flush_that_fails_is_told_once_and_stops_no_other_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    for _ in range(2):
        # The library takes no counter that falls.
        metrics.message("inbound", "inbound", "pass", -1)
        metrics.symbol("SPF_FAIL")
        with caplog.at_level(logging.ERROR, "gatepost.telemetry"):
            metrics.flush()
    assert _value(metrics, "symbols_total", symbol="SPF_FAIL") == 2
    assert [record.getMessage() for record in caplog.records] == ["counts were lost"]


def test_store_from_another_thread_leaves_the_series_to_flush() -> None:
    metrics = Metrics()
    thread = threading.Thread(target=metrics.store, args=("put", 0.5))
    thread.start()
    thread.join()
    series = (PREFIX + "store_seconds_sum", {"operation": "put"})
    # A series made while `flush` goes through them would end it.
    assert metrics.registry.get_sample_value(*series) is None
    metrics.flush()
    assert metrics.registry.get_sample_value(*series) == 0.5


def test_metrics_every_row_of_the_table_is_filled_or_of_the_supervisor() -> None:
    metrics, supervisor = Metrics(), SupervisorMetrics()
    _fill(metrics)
    metrics.flush()
    supervisor.reload("ok")
    supervisor.restart()
    supervisor.http_refused("full")
    text = (generate_latest(metrics.registry) + generate_latest(supervisor.registry)).decode()
    shown = {family.name for family in text_string_to_metric_families(text) if family.samples}
    at_scrape = {"next_hop_up", "bytes_in_flight", "workers", "build_info", "config_last_reload"}
    at_scrape |= {"sessions_limit", "certificate_expires_seconds", "policy_info", "workers_silent"}
    wanted = {PREFIX + spec.name.removesuffix("_total") for spec in METRICS} - {
        PREFIX + name for name in at_scrape
    }
    assert wanted <= shown


def test_symbol_beyond_the_bound_is_counted_as_other() -> None:
    metrics = Metrics()
    for number in range(MAX_SERIES + 50):
        metrics.symbol(f"S_{number}")
    assert _value(metrics, "symbols_total", symbol="S_0") == 1
    assert _value(metrics, "symbols_total", symbol=f"S_{MAX_SERIES + 10}") is None
    assert _value(metrics, "symbols_total", symbol=OTHER) == 50


def test_symbol_with_declared_symbols_every_process_names_the_first_of_them() -> None:
    declared = [f"S_{number % 7}_{number}" for number in range(MAX_SERIES + 50)]
    for order in (declared, declared[::-1]):
        metrics = Metrics(symbols=declared)
        for symbol in order:
            metrics.symbol(symbol)
        assert _value(metrics, "symbols_total", symbol=declared[0]) == 1
        assert _value(metrics, "symbols_total", symbol=declared[-1]) is None
        assert _value(metrics, "symbols_total", symbol=OTHER) == 51


def test_metrics_that_alerts_ask_for_an_increase_of_stand_at_0_from_the_start() -> None:
    registries = (Metrics().registry, SupervisorMetrics().registry)
    values = [
        registry.get_sample_value(PREFIX + name, {label: value})
        for name, label, value in (
            ("config_reloads_total", "result", "ok"),
            ("store_errors_total", "reason", "full"),
            ("http_refused_total", "reason", "body"),
            ("classifier_agreement_total", "result", "differs"),
        )
        for registry in registries
    ]
    assert [value for value in values if value is not None] == [0.0] * 5


def test_metrics_that_stand_from_the_start_are_those_that_there_are() -> None:
    named = {spec.name: spec.from_start for spec in METRICS if spec.from_start}
    assert named["store_errors_total"] == get_args(Reason)
    assert named["config_reloads_total"] == get_args(ReloadResult)
