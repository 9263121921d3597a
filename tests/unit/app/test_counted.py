from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest

from milter.app.counted import CountedLists, CountedResolver, list_outcome
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome
from milter.telemetry.metrics import Metrics
from policies.dnslists import DnsList

_LIST = DnsList(
    "bl.example", "client_ip", "block", codes={IPv4Address("127.0.0.2"): "LISTED"}, key="k3y"
)


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    metrics.flush()
    return metrics.registry.get_sample_value(f"gatepost_{name}", labels)


def test_counted_resolver_counts_the_outcome_and_the_time() -> None:
    metrics, times = Metrics(), iter([1.0, 1.25])
    resolver = CountedResolver(FakeResolver({}), metrics, lambda: next(times))
    answer = asyncio.run(resolver.resolve("missing.example", "A"))
    assert answer.outcome is Outcome.NXDOMAIN
    assert _value(metrics, "dns_queries_total", outcome="nxdomain") == 1
    assert _value(metrics, "dns_query_seconds_sum") == 0.25


def test_counted_lists_counts_lists_by_their_public_zone() -> None:
    metrics = Metrics()
    zone = {"2.2.0.192.k3y.bl.example": {"A": ["127.0.0.2"]}, "example.org": {"A": ["192.0.2.1"]}}
    resolver = CountedLists(FakeResolver(zone), metrics, [_LIST])
    for name in ("2.2.0.192.K3Y.bl.example", "9.2.0.192.k3y.bl.example.", "example.org"):
        asyncio.run(resolver.resolve(name, "A"))
    asyncio.run(resolver.resolve("2.2.0.192.k3y.bl.example", "TXT"))
    assert _value(metrics, "dns_list_queries_total", zone="bl.example", outcome="listed") == 1
    assert _value(metrics, "dns_list_queries_total", zone="bl.example", outcome="not_listed") == 1


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        pytest.param(Answer(Outcome.ANSWER, ("127.0.0.2",)), "listed", id="listed"),
        pytest.param(Answer(Outcome.ANSWER, ("127.0.0.9", "127.0.0.2")), "listed", id="one-of-two"),
        pytest.param(Answer(Outcome.ANSWER, ("127.0.0.9",)), "unknown", id="not-mapped"),
        pytest.param(Answer(Outcome.ANSWER, ("127.255.255.254",)), "error", id="refused"),
        pytest.param(Answer(Outcome.ANSWER, ("192.0.2.1",)), "error", id="parked"),
        pytest.param(Answer(Outcome.NXDOMAIN), "not_listed", id="nxdomain"),
        pytest.param(Answer(Outcome.NODATA), "not_listed", id="nodata"),
        pytest.param(Answer(Outcome.TIMEOUT), "temperror", id="timeout"),
    ],
)
def test_list_outcome_names_what_an_answer_means(answer: Answer, word: str) -> None:
    assert list_outcome(_LIST, answer) == word
