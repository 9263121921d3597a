"""Every metric of Gatepost, in one table: code, docs and tests read it.

Labels come from closed sets alone: never an address, a domain or a subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "gatepost_"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One row of the table of metrics.

    Attributes:
        name: Without the prefix; a counter's ends in `_total`.
        kind: What Prometheus calls its type.
        words: What is counted, and which values each label has.
        labels: Names of its labels.
        source: Who fills it: the workers, or the supervisor when it is scraped.
        from_start: Values of its one label whose series stand at 0 from the start: alerts ask for
            an increase, and a series that begins with 1 has none.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    words: str
    labels: tuple[str, ...] = ()
    source: Literal["worker", "supervisor"] = "worker"
    from_start: tuple[str, ...] = ()


METRICS: Final = (
    MetricSpec(
        "messages_total",
        "counter",
        "Messages by what was done with them. listener: a configured name, or http for scans; "
        "direction: inbound, "
        "outbound, internal; action: pass, tag, quarantine, defer, reject, discard",
        ("listener", "direction", "action"),
    ),
    MetricSpec(
        "message_bytes_total",
        "counter",
        "Bytes of these messages; labels as of gatepost_messages_total",
        ("listener", "direction", "action"),
    ),
    MetricSpec(
        "bytes_saved_total",
        "counter",
        "Announced bytes that were never sent because of a refusal before the end of data. "
        "stage: connect, helo, mail, rcpt, data",
        ("stage",),
    ),
    MetricSpec("sessions", "gauge", "Connections of clients that are open now"),
    MetricSpec(
        "sessions_refused_total",
        "counter",
        "Connections that were refused at the greeting. reason: full (limits.sessions), "
        "client (limits.sessions_per_client), not_admitted (not within the listener's clients), "
        "policy (early.greeting)",
        ("reason",),
    ),
    MetricSpec(
        "milter_broken_total",
        "counter",
        "Connections of mail servers that did not end as they should; their default applied. "
        "reason: malformed (not the protocol), gone (in the middle of a session), timeout",
        ("reason",),
    ),
    MetricSpec("session_seconds", "histogram", "Duration of a client's connection"),
    MetricSpec("scan_seconds", "histogram", "From the end of a message to its verdict"),
    MetricSpec(
        "check_seconds",
        "histogram",
        "Duration of a check. check: a name of the catalogue of checks",
        ("check",),
    ),
    MetricSpec(
        "check_results_total",
        "counter",
        "How checks ended. check: a name of the catalogue; result: ok, error, timeout",
        ("check", "result"),
    ),
    MetricSpec(
        "symbols_total",
        "counter",
        "Messages that have a symbol. symbol: a declared one, beyond 500 of them: other",
        ("symbol",),
    ),
    MetricSpec(
        "spam_kind_total",
        "counter",
        "Marked or refused messages by kind of spam. kind: advertising, phishing, malware, fraud, "
        "extortion, adult, pharma, backscatter, botnet, other",
        ("kind",),
    ),
    MetricSpec(
        "dns_queries_total",
        "counter",
        "Questions to DNS servers. outcome: answer, nxdomain, nodata, servfail, refused, timeout",
        ("outcome",),
    ),
    MetricSpec("dns_query_seconds", "histogram", "Duration of a question to DNS servers"),
    MetricSpec(
        "dns_answers_total",
        "counter",
        "Answers that checks were given. source: hit (was kept), asked, shared (another asked the "
        "same), stale (its life was over and no server answered)",
        ("source",),
    ),
    MetricSpec(
        "dns_list_queries_total",
        "counter",
        "Questions to DNS lists. zone: a configured list; outcome: listed, not_listed, unknown, "
        "error, temperror",
        ("zone", "outcome"),
    ),
    MetricSpec(
        "dns_list_seconds",
        "histogram",
        "Time that a DNS list takes to answer, cached answers included. zone: a configured list",
        ("zone",),
    ),
    MetricSpec(
        "dns_list_up",
        "gauge",
        "1 while every worker asks and believes the DNS list, 0 while one has set it aside. "
        "zone: a configured list",
        ("zone",),
    ),
    MetricSpec(
        "policy_verdicts_total",
        "counter",
        "Verdicts. policy: a configured policy with its overrides; action: pass, tag, quarantine, "
        "defer, reject, discard",
        ("policy", "action"),
    ),
    MetricSpec(
        "shadow_differences_total",
        "counter",
        "Messages that a shadow policy would have treated otherwise. policy: the shadow; from: "
        "what was done; to: what it would have done",
        ("policy", "from", "to"),
    ),
    MetricSpec(
        "forged_identity_total",
        "counter",
        "Commands that say who the client is, from clients that may not. "
        "kind: xclient, xforward, proxy",
        ("kind",),
    ),
    MetricSpec(
        "next_hop_seconds",
        "histogram",
        "Duration of a step at the next hop. stage: connect, greeting, ehlo, starttls, identity, "
        "mail, rcpt, data, body, final, rset",
        ("stage",),
    ),
    MetricSpec(
        "store_seconds",
        "histogram",
        "Duration of an operation of the store. operation: a name of the store's interface",
        ("operation",),
    ),
    MetricSpec(
        "store_errors_total",
        "counter",
        "Failures of the store. reason: full, locked, corrupt, gone, slow, refused, other",
        ("reason",),
        from_start=("full", "locked", "corrupt", "gone", "slow", "refused", "other"),
    ),
    MetricSpec(
        "store_writes_dropped_total",
        "counter",
        "What was to be remembered and was given up, because the store could not be written to",
    ),
    MetricSpec(
        "aftermath_dropped_total",
        "counter",
        "Messages of which nothing was remembered or counted after the reply, for lack of room",
    ),
    MetricSpec(
        "history_refusals_left_out_total",
        "counter",
        "Refusals before the data that the history does not have: too many of one network, or of"
        " all",
    ),
    MetricSpec(
        "classifier_lessons_total",
        "counter",
        "Lessons that the classifier of this machine learned. label: ham, spam",
        ("label",),
    ),
    MetricSpec(
        "classifier_sure_lessons_total",
        "counter",
        "Lessons that were offered from sure verdicts (classifier.learn_from_verdicts); quotas may "
        "refuse some. label: ham, spam",
        ("label",),
    ),
    MetricSpec(
        "classifier_agreement_total",
        "counter",
        "Messages of which the classifier was sure, by whether all other evidence says the same. "
        "result: agrees, differs",
        ("result",),
        from_start=("agrees", "differs"),
    ),
    MetricSpec(
        "next_hop_up",
        "gauge",
        "1 when a worker reached the next hop last time or none has tried yet, else 0",
        source="supervisor",
    ),
    MetricSpec("bytes_in_flight", "gauge", "Bytes of messages held now", source="supervisor"),
    MetricSpec("workers", "gauge", "Worker processes that take mail", source="supervisor"),
    MetricSpec(
        "workers_silent",
        "gauge",
        "Worker processes that do not answer: their event loop has stood still for 10 s",
        source="supervisor",
    ),
    MetricSpec(
        "worker_restarts_total",
        "counter",
        "Workers that died and were started again",
        source="supervisor",
    ),
    MetricSpec(
        "http_refused_total",
        "counter",
        "Connections of the HTTP port that were refused or ended early. reason: full "
        "(http.connections), client (http.connections_per_client), headers (not whole within "
        "http.header_timeout_s), body (slower than http.body_bytes_per_s)",
        ("reason",),
        source="supervisor",
        from_start=("full", "client", "headers", "body"),
    ),
    MetricSpec(
        "config_reloads_total",
        "counter",
        "Reloads of the configuration. result: ok, refused (a mistake in it), failed (its workers "
        "did not start), rolled_back (the guard took the one before back)",
        ("result",),
        source="supervisor",
        from_start=("ok", "refused", "failed", "rolled_back"),
    ),
    MetricSpec(
        "config_last_reload",
        "gauge",
        "1 for the result of the last reload, 0 for the others: ok (also before the first), "
        "refused, failed, rolled_back. All but ok: the files say what does not run",
        ("result",),
        source="supervisor",
    ),
    MetricSpec(
        "sessions_limit",
        "gauge",
        "Connections of clients that there may be at once (limits.sessions)",
        source="supervisor",
    ),
    MetricSpec(
        "certificate_expires_seconds",
        "gauge",
        "When the certificate of a listener ends, in seconds since 1970. listener: a configured "
        "name; one without a certificate has no series",
        ("listener",),
        source="supervisor",
    ),
    MetricSpec(
        "build_info",
        "gauge",
        "Always 1. version: of Gatepost; python: of the interpreter",
        ("version", "python"),
        source="supervisor",
    ),
    MetricSpec(
        "policy_info",
        "gauge",
        "Always 1. version: hash of the policy files that judge now, as in log, header and history",
        ("version",),
        source="supervisor",
    ),
)

METRICS_BY_NAME: Final = {spec.name: spec for spec in METRICS}
