"""The calls that fill the metrics of `metric_table`.

Nothing here serves HTTP or knows of processes; how the numbers of several workers become one is in
`multiprocess`.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from milter.telemetry.metric_table import METRICS_BY_NAME, PREFIX
from milter.telemetry.sums import MAX_SERIES, Sums, Timing, Timings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_log: Final = logging.getLogger("gatepost.telemetry")

# How old a worker's numbers may be when they are scraped; what a killed worker loses at most.
FLUSH_S: Final = 0.25
_BY_FLOW: Final = ("messages_total", "message_bytes_total")

# Up to the two minutes that a slow next hop or a deep MIME tree may take and a client still waits.
BUCKETS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0,
)  # fmt: skip


def _named(symbols: Iterable[str] | None) -> frozenset[str] | None:
    """Return the symbols that get a series; every worker must choose the same ones."""
    return None if symbols is None else frozenset(islice(symbols, MAX_SERIES - 1))


def _counter(registry: CollectorRegistry, name: str) -> Counter:
    spec = METRICS_BY_NAME[name]
    counter = Counter(PREFIX + name, spec.words, spec.labels, registry=registry)
    for value in spec.from_start:
        counter.labels(value)
    return counter


def _histogram(registry: CollectorRegistry, name: str) -> Histogram:
    spec = METRICS_BY_NAME[name]
    return Histogram(PREFIX + name, spec.words, spec.labels, registry=registry, buckets=BUCKETS)


def _timing(registry: CollectorRegistry, name: str) -> Timing:
    return Timing(_histogram(registry, name), BUCKETS)


def _timings(registry: CollectorRegistry, name: str) -> Timings:
    family = _histogram(registry, name)
    return Timings(lambda label: Timing(family.labels(label), BUCKETS))


def _gauge(registry: CollectorRegistry, name: str, mode: Literal["livesum", "livemin"]) -> Gauge:
    spec = METRICS_BY_NAME[name]
    return Gauge(PREFIX + name, spec.words, spec.labels, registry=registry, multiprocess_mode=mode)


class Metrics:
    """What a worker counts. One for each process; cheap enough to be called for every message.

    What is counted shows in the registry after `flush`: call it every `FLUSH_S` and at the end.
    Every call belongs to the thread that flushes, but `store`.

    Args:
        registry: Where the metrics are registered; a new one for each instance.
        symbols: The declared symbols, in the same order in every worker: the first 499 get a series
            of their own. Without it the first ones that occur get one.

    Attributes:
        verdicts: Verdicts of all policies, by the word of their action.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, *, symbols: Iterable[str] | None = None
    ) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self._messages, self._bytes = (Sums(_counter(registry, n), 3) for n in _BY_FLOW)
        self._saved = Sums(_counter(registry, "bytes_saved_total"), 1)
        self._refused = Sums(_counter(registry, "sessions_refused_total"), 1)
        self._milter_broken = Sums(_counter(registry, "milter_broken_total"), 1)
        self._http_refused = Sums(_counter(registry, "http_refused_total"), 1)
        self._checks = Sums(_counter(registry, "check_results_total"), 2)
        self._symbols = Sums(_counter(registry, "symbols_total"), 1, _named(symbols))
        self._kinds = Sums(_counter(registry, "spam_kind_total"), 1)
        self._dns = Sums(_counter(registry, "dns_queries_total"), 1)
        self._dns_answers = Sums(_counter(registry, "dns_answers_total"), 1)
        self._dns_lists = Sums(_counter(registry, "dns_list_queries_total"), 2)
        self._policies = Sums(_counter(registry, "policy_verdicts_total"), 2)
        self._shadows = Sums(_counter(registry, "shadow_differences_total"), 3)
        self._store_errors = Sums(_counter(registry, "store_errors_total"), 1)
        self._store_dropped = Sums(_counter(registry, "store_writes_dropped_total"), 0)
        self._forgotten = Sums(_counter(registry, "aftermath_dropped_total"), 0)
        self._refusals = Sums(_counter(registry, "history_refusals_left_out_total"), 0)
        self._lessons = Sums(_counter(registry, "classifier_lessons_total"), 1)
        self._sure_lessons = Sums(_counter(registry, "classifier_sure_lessons_total"), 1)
        self._agreement = Sums(_counter(registry, "classifier_agreement_total"), 1)
        self._forged = Sums(_counter(registry, "forged_identity_total"), 1)
        self._check_seconds = _timings(registry, "check_seconds")
        self._next_hop_seconds = _timings(registry, "next_hop_seconds")
        self._store_seconds = _timings(registry, "store_seconds")
        self._list_seconds = _timings(registry, "dns_list_seconds")
        self._session_seconds = _timing(registry, "session_seconds")
        self._scan_seconds = _timing(registry, "scan_seconds")
        self._dns_seconds = _timing(registry, "dns_query_seconds")
        self._sessions = _gauge(registry, "sessions", "livesum")
        # The worker that has set a list aside shows, however many others have not.
        self._lists_up = _gauge(registry, "dns_list_up", "livemin")
        self.verdicts: defaultdict[str, int] = defaultdict(int)
        self._open, self._broken = 0, False
        self._stored: deque[tuple[str, float]] = deque()

    @cached_property
    def _summed(self) -> tuple[Sums | Timing | Timings, ...]:
        """What `flush` hands over, in the order in which it was made."""
        return tuple(
            each for each in vars(self).values() if isinstance(each, Sums | Timing | Timings)
        )

    def message(self, listener: str, direction: str, action: str, size: int) -> None:
        """Count a message of `size` bytes with what was done with it."""
        labels = (listener, direction, action)
        self._messages.add(labels)
        self._bytes.add(labels, size)

    def bytes_saved(self, stage: str, size: int) -> None:
        """Count announced bytes that a refusal at `stage` kept from being sent."""
        self._saved.add((stage,), size)

    def session_opened(self) -> None:
        """Count a connection that is open now."""
        self._open += 1

    def session_closed(self, seconds: float) -> None:
        """Count a connection out, after `seconds`."""
        self._open -= 1
        self._session_seconds.add(seconds)

    def session_refused(self, reason: str) -> None:
        """Count a connection that was refused at the greeting, by one of the table's reasons."""
        self._refused.add((reason,))

    def http_refused(self, reason: str) -> None:
        """Count a request whose body was given up, by one of the table's reasons."""
        self._http_refused.add((reason,))

    def milter_broken(self, reason: str) -> None:
        """Count a mail server's connection that broke: malformed, gone or timeout."""
        self._milter_broken.add((reason,))

    def scan(self, seconds: float) -> None:
        """Count the way of a message from its end to its verdict."""
        self._scan_seconds.add(seconds)

    def check(self, name: str, result: str, seconds: float, _started: float = 0.0) -> None:
        """Count a run of a check; the signature of `Pipeline`'s `observe`."""
        self._checks.add((name, result))
        self._check_seconds.add(name, seconds)

    def symbol(self, name: str) -> None:
        """Count a symbol of a message."""
        self._symbols.add((name,))

    def kind(self, name: str) -> None:
        """Count a marked or refused message by its kind of spam."""
        self._kinds.add((name,))

    def policy(self, policy: str, action: str) -> None:
        """Count a verdict of a policy."""
        self._policies.add((policy, action))
        self.verdicts[action] += 1

    def shadow_difference(self, policy: str, live: str, shadow: str) -> None:
        """Count a message that a shadow policy would have treated otherwise."""
        self._shadows.add((policy, live, shadow))

    def dns(self, outcome: str, seconds: float) -> None:
        """Count a question that went to a DNS server."""
        self._dns.add((outcome,))
        self._dns_seconds.add(seconds)

    def dns_answer(self, source: str) -> None:
        """Count an answer by where it is from; the signature of `CachingResolver`'s `observe`."""
        self._dns_answers.add((source,))

    def dns_list(self, zone: str, outcome: str, seconds: float) -> None:
        """Count a question to a DNS list; the signature of `ListAsker`'s `observe`."""
        self._dns_lists.add((zone, outcome))
        self._list_seconds.add(zone, seconds)

    def dns_list_up(self, zone: str, *, up: bool) -> None:
        """Show whether a DNS list is asked and believed; seen at the next scrape."""
        self._attempt(lambda: self._lists_up.labels(zone).set(up))

    def next_hop(self, stage: str, seconds: float) -> None:
        """Count a step at the next hop; the signature of `NextHop`'s `on_stage`."""
        self._next_hop_seconds.add(stage, seconds)

    def forged_identity(self, kind: str) -> None:
        """Count a command about the client's identity from one who may not send it."""
        self._forged.add((kind,))

    def store(self, operation: str, seconds: float) -> None:
        """Count an operation of the store; from any thread, because stores are asked in threads."""
        self._stored.append((operation, seconds))

    def store_failed(self, reason: str) -> None:
        """Count a failure of the store by its reason."""
        self._store_errors.add((reason,))

    def store_dropped(self, writes: int) -> None:
        """Count what was to be remembered and was given up."""
        self._store_dropped.add((), writes)

    def aftermath_dropped(self) -> None:
        """Count a message of which nothing was remembered."""
        self._forgotten.add(())

    def refusal_not_kept(self) -> None:
        """Count a refusal before the data that the history had no room for."""
        self._refusals.add(())

    def lessons(self, label: str, number: int) -> None:
        """Count lessons of `label` that were learned: ham or spam."""
        if number:
            self._lessons.add((label,), number)

    def sure_lesson(self, *, spam: bool) -> None:
        """Count a lesson that was offered from a sure verdict."""
        self._sure_lessons.add(("spam" if spam else "ham",))

    def agreement(self, *, agrees: bool) -> None:
        """Count a message of which the classifier was sure, by what other evidence says."""
        self._agreement.add(("agrees" if agrees else "differs",))

    def flush(self) -> None:
        """Move what was counted since the last time into the registry; raises nothing."""
        self._attempt(self._take_stored)
        for sums in self._summed:
            self._attempt(sums.flush)
        self._attempt(lambda: self._sessions.set(self._open))

    def _take_stored(self) -> None:
        while self._stored:
            self._store_seconds.add(*self._stored.popleft())

    def _attempt(self, move: Callable[[], None]) -> None:
        try:
            move()
        except Exception:  # noqa: BLE001 - counts that cannot be shown are no reason to take no mail
            if not self._broken:
                _log.exception("counts were lost")
            self._broken = True


class SupervisorMetrics:
    """What the supervisor itself counts."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self._reloads = _counter(registry, "config_reloads_total")
        self._restarts = _counter(registry, "worker_restarts_total")
        self._http_refused = _counter(registry, "http_refused_total")

    def reload(self, result: str) -> None:
        """Count a reload: ok, refused (bad), failed (no workers) or rolled_back (by the guard)."""
        self._reloads.labels(result).inc()

    def restart(self) -> None:
        """Count a worker that died and is started again."""
        self._restarts.inc()

    def http_refused(self, reason: str) -> None:
        """Count a connection of the HTTP port that was refused or ended early, by its reason."""
        self._http_refused.labels(reason).inc()
