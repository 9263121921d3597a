"""A worker that takes mail: settings, policies, checks, next hop and listeners made into one.

Everything is built from what was handed over; no file of the configuration is opened here.
"""

from __future__ import annotations

import gc
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from milter.app.counted import CountedResolver
from milter.app.doors import DoorMeans, http_door, milter_server, smtp_server, spamd_server
from milter.app.enclosed import enclosed_reader
from milter.app.lists import ListKeeper, open_keeper
from milter.app.mail_worker import MailWorker
from milter.app.memory import build_memory
from milter.app.pattern_cache import arm_in_background
from milter.app.scan_port import RequestMeans, ScanPort
from milter.app.senders import sender_checks
from milter.app.traces import open_tracing
from milter.checks.catalogue import Means, build_checks
from milter.core.ids import new_id
from milter.daemon.handover import HandedSource, as_paths
from milter.dns.cache import CachingResolver
from milter.dns.client import DnsClient
from milter.dns.fake import read_zone
from milter.doors.teaching import Teacher
from milter.http.callers import Guard
from milter.http.pace import Pace
from milter.message.warm import warm_up
from milter.pipeline.aftermath import Aftermath
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from milter.pipeline.shadows import Shadows
from milter.relay.nexthop import NextHop
from milter.relay.partial import LEAST_WAIT_S, PartialDeliveries
from milter.settings import TlsFiles
from milter.settings.read import read_settings
from milter.smtp.tls import server_context
from milter.telemetry.metrics import Metrics
from milter.telemetry.multiprocess import label_sums
from policies.loader import load_policies
from policies.ranges import AddressRanges

if TYPE_CHECKING:
    import ssl

    from milter.app.doors import Server
    from milter.app.memory import WorkingMemory
    from milter.app.traces import Tracing
    from milter.core.limits import SharedLimits
    from milter.daemon.handover import Handover
    from milter.dns.resolver import Resolver
    from milter.settings import Listener, Settings
    from policies.loader import Source
    from policies.select import PolicySet


@dataclass(frozen=True, slots=True)
class Workplace:
    """The configuration of a worker, read and compiled.

    Attributes:
        handover: What it was read from.
        settings: The settings.
        source: Serves the files that were handed over.
        policies: All policies.
    """

    handover: Handover
    settings: Settings
    source: Source
    policies: PolicySet

    async def build(self, limits: SharedLimits) -> MailWorker:
        """Return the worker, not yet taking mail."""
        metrics = Metrics(symbols=self.policies.plan.ranked)
        memory = build_memory(self.settings, self.source, metrics)
        identity = _identity(self.settings, self.handover.hostname)
        next_hop = self._next_hop(identity, metrics, memory)
        closing = ExitStack()
        tracing = open_tracing(self.settings, identity.hostname)
        asked, resolver = self._resolvers(metrics, closing)
        lists = open_keeper(self.policies.plan, self.settings, self.handover, asked, metrics)
        pipeline = self._pipeline(identity, metrics, resolver, lists, memory)
        pipeline = pipeline.opening(enclosed_reader(self.settings.enclosed, closing))
        pipeline = pipeline.tracing(tracing.timings) if tracing else pipeline
        patterns = Path(self.handover.cache_folder) / "patterns"
        arm_in_background(self.policies.plan.patterns, patterns)
        means = DoorMeans(
            bounds=self.settings.limits,
            hostname=identity.hostname,
            pipeline=pipeline,
            limits=limits,
            metrics=metrics,
            new_id=_new_id,
            aftermath=self._aftermath(memory, metrics, closing, pipeline, tracing),
            teacher=Teacher(memory.store, memory.weights) if memory and memory.learning else None,
        )
        servers = self._servers(means, next_hop)
        warm_up(languages="languages" in self.policies.plan.facts)
        # What lives as long as the process need not be looked at by each collection.
        gc.collect()
        gc.freeze()
        return MailWorker(
            servers,
            next_hop,
            scan=self._scan_port(means, memory),
            memory=memory,
            closing=closing,
            metrics=metrics,
            lists=lists,
        )

    def _servers(self, means: DoorMeans, next_hop: NextHop | None) -> list[tuple[Server, int]]:
        """Return the server of each listener, with the descriptor of its listening socket."""
        return [
            (self._server(listener, means, next_hop), self.handover.listeners[listener.name])
            for listener in self.settings.listeners
        ]

    def _server(self, listener: Listener, means: DoorMeans, next_hop: NextHop | None) -> Server:
        if listener.protocol == "spamd":
            return spamd_server(listener, means)
        if next_hop is None or listener.protocol == "milter":
            return milter_server(listener, means)
        return smtp_server(listener, means, next_hop, self._tls(listener))

    def _aftermath(
        self,
        memory: WorkingMemory | None,
        metrics: Metrics,
        closing: ExitStack,
        pipeline: Pipeline,
        tracing: Tracing | None,
    ) -> Aftermath | None:
        """Return who is told of each message after its reply: memory, shadow policies, traces."""
        aftermath = memory.aftermath if memory else None
        if memory is not None:
            memory.keep_history(self.settings.history, pipeline, metrics)
        shadows = self.policies.plan.shadows
        if not shadows and tracing is None:
            return aftermath
        if tracing is not None:
            closing.callback(tracing.sender.close)
        if aftermath is None:
            aftermath = Aftermath((), time.time, metrics.aftermath_dropped)
            closing.callback(aftermath.finish)
        if tracing is not None:
            tracing.follow(aftermath, pipeline)
        if shadows:
            counted = [metrics] if memory is None else [metrics, memory.statistics]
            aftermath.compare(Shadows(shadows, *counted).differing)
        return aftermath

    def _scan_port(self, means: DoorMeans, memory: WorkingMemory | None) -> ScanPort | None:
        http, fd = self.settings.http, self.handover.scan_fd
        if http is None or fd is None:
            return None
        token = self.source.read(http.token_file) if http.token_file else b""
        door, guard = http_door(http, means), Guard(token)
        actions = label_sums(Path(self.handover.metrics_folder), "messages_total", "action")
        reading = memory.reading if memory else None
        pace = Pace(http.body_bytes_per_s)
        return ScanPort(RequestMeans(guard, door, means.teacher, actions, pace, reading), fd)

    def _next_hop(
        self, identity: Identity, metrics: Metrics, memory: WorkingMemory | None
    ) -> NextHop | None:
        if all(listener.protocol != "smtp" for listener in self.settings.listeners):
            return None
        settings = self.settings.next_hop
        with as_paths(self.source) as in_memory:
            if settings.tls_ca_file:
                changed = {"tls_ca_file": in_memory(settings.tls_ca_file)}
                settings = settings.model_copy(update=changed)
            return NextHop(
                settings,
                identity.hostname,
                clock=time.monotonic,
                partial=self._partial_deliveries(memory) if memory else None,
                on_stage=metrics.next_hop,
            )

    def _partial_deliveries(self, memory: WorkingMemory) -> PartialDeliveries:
        return PartialDeliveries(memory.store, max(LEAST_WAIT_S, self.settings.memory.timeout_s))

    def _pipeline(
        self,
        identity: Identity,
        metrics: Metrics,
        resolver: Resolver,
        lists: ListKeeper,
        memory: WorkingMemory | None,
    ) -> Pipeline:
        means = Means(
            identity.hostname,
            time.time,
            authentication=any(policy.headers for policy in self.policies.all_single()),
            senders=sender_checks(self.settings),
            budget_s=self.settings.limits.budget_s,
            lists=lists.asker,
            memory=memory.recollection if memory else None,
            weights=memory.weights if memory else None,
        )
        return Pipeline(
            checks=build_checks(self.policies.plan, means),
            policies=self.policies,
            resolver=resolver,
            identity=identity,
            budget_s=self.settings.limits.budget_s,
            observe=metrics.check,
        )

    def _resolvers(self, metrics: Metrics, closing: ExitStack) -> tuple[Resolver, Resolver]:
        """Return what asks, and the same behind the cache."""
        dns = self.settings.dns
        asked: Resolver
        if dns.zone_file:
            asked = read_zone(self.source, dns.zone_file)
        else:
            asked = client = DnsClient.from_settings(dns)
            closing.callback(client.close)
        counted = CountedResolver(asked, metrics, time.monotonic)
        cached = CachingResolver(counted, time.monotonic, dns, metrics.dns_answer)
        closing.callback(cached.close)
        return counted, cached

    def _tls(self, listener: Listener) -> ssl.SSLContext | None:
        files = listener.tls
        if files is None:
            return None
        with as_paths(self.source) as in_memory:
            certificate, key = in_memory(files.certificate), in_memory(files.key)
            return server_context(TlsFiles(certificate=certificate, key=key))


def open_workplace(handover: Handover) -> Workplace:
    """Return the workplace that `handover` describes.

    Raises:
        ConfigErrors: The files that were handed over are not what was validated: a bug of ours.
    """
    source = HandedSource(handover.files)
    settings = read_settings(source, handover.config_path)
    return Workplace(handover, settings, source, load_policies(source, settings.policies))


def _identity(settings: Settings, host_name: str) -> Identity:
    name = settings.hostname or host_name
    return Identity(
        hostname=name,
        authserv_id=settings.authserv_id or name,
        relays=AddressRanges.of_networks(settings.trusted_relays),
    )


def _new_id() -> str:
    return new_id(os.urandom)
