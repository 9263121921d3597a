"""The configuration as a whole: read and validated before anything starts or changes.

The supervisor reads it here; the workers read it again from the same bytes, which travel to them.
A mistake found in one part does not hide those of another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from milter.atlas import AtlasError, open_table
from milter.core.errors import ParseError
from milter.daemon.handover import RecordingSource
from milter.dns.fake import read_zone
from milter.dns.nameservers import parse_nameserver
from milter.memory.opening import home_of
from milter.settings.read import Placed, load_placed, wrong_values
from policies.errors import ConfigError, ConfigErrors
from policies.loader import load_policies
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from milter.daemon.listening import ListenError
    from milter.memory.opening import Home
    from milter.settings import Settings
    from policies.dnslists import DnsList
    from policies.loader import Source
    from policies.select import PolicySet


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration that was validated whole.

    Attributes:
        path: The file; None for the embedded defaults.
        placed: The settings, and where each stands.
        files: Every text that was read, by path.
        version: Of the policy files: a hash.
        dns_lists: Those that the policies ask.
    """

    path: str | None
    placed: Placed
    files: Mapping[str, bytes] = field(repr=False)
    version: str = ""
    dns_lists: Sequence[DnsList] = ()

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.placed.settings

    @property
    def workers(self) -> int:
        """How many workers shall run; `auto` is one for each core that we may use."""
        asked = self.settings.workers
        return len(os.sched_getaffinity(0)) if asked == "auto" else asked

    def binds(self) -> dict[str, str]:
        """Return the address of each listener by the key under which its socket is kept."""
        return {socket_key(one.name, one.bind): one.bind for one in self.settings.listeners}

    def not_listening(self, err: ListenError) -> ConfigErrors:
        """Return `err` as the mistake that it is, at the place that names the address."""
        for i, listener in enumerate(self.settings.listeners):
            if listener.bind == err.bind:
                return ConfigErrors([self.placed.at(("listeners", i, "bind"), str(err))])
        return ConfigErrors([self.placed.at(("http", "bind"), str(err))])


def socket_key(name: str, bind: str) -> str:
    """Return under which name a socket is kept from one configuration to the next.

    It is the address, so that a listener which is only renamed keeps its socket; but port 0 asks
    for any free port, and each listener that does has one of its own.
    """
    return f"{name} {bind}" if bind.endswith(":0") else bind


def read_configuration(path: str | None, source: Source) -> Configuration:
    """Read and validate all that the configuration at `path` says and names.

    Nothing is made and nothing changed: whoever checks may be another user than the daemon.

    Args:
        path: The file; None for the embedded defaults.
        source: Where files come from.

    Raises:
        ConfigErrors: Every mistake that was found.
    """
    recording = RecordingSource(source)
    placed = load_placed(recording, path)
    loaded: list[PolicySet] = []
    named = _named_mistakes(placed, recording, loaded)
    if wrong := wrong_values(placed):
        raise ConfigErrors([*wrong, *named])
    paths = _paths(placed.settings)
    unread = (err for each in paths for err in _mistakes_of(partial(recording.read, each)))
    if found := [*named, *unread, *_other_mistakes(placed)]:
        raise ConfigErrors(found)
    (policies,) = loaded
    return Configuration(path, placed, recording.files, policies.version, policies.plan.dns_lists)


def prepare_store(configuration: Configuration) -> None:
    """Make the store and bring its tables up to date, before several workers would try to at once.

    What passes by itself, as a full disk or the lock of another process, is the workers' to tell:
    they go on without the store and open it once they can.

    Raises:
        ConfigErrors: It cannot be opened until a person acts.
    """
    home = home_of(configuration.settings)
    # A server makes nothing beforehand, and may be down now and up later.
    if home is None or home.path is None:
        return
    try:
        _open_once(home)
    except StoreError as err:
        raise ConfigErrors([configuration.placed.at(("store",), err.what)]) from err


def _open_once(home: Home) -> None:
    try:
        home.open_mended().close()
    except StoreError as err:
        if not err.temporary or err.reason == "corrupt":
            raise
        # What can be seen without opening it does not pass by itself.
        home.examine()


def _mistakes_of(reading: Callable[[], object]) -> tuple[ConfigError, ...]:
    try:
        reading()
    except ConfigErrors as err:
        return err.errors
    except ConfigError as err:
        return (err,)
    return ()


def _named_mistakes(placed: Placed, source: Source, loaded: list[PolicySet]) -> list[ConfigError]:
    """Read the policies and the zone that the settings name; the policies are added to `loaded`."""
    settings = placed.settings
    readings: list[tuple[tuple[str, ...], Callable[[], object]]] = [
        (("policies",), lambda: loaded.append(load_policies(source, settings.policies)))
    ]
    if zone_file := settings.dns.zone_file:
        readings.append((("dns", "zone_file"), lambda: read_zone(source, zone_file)))
    # What is wrong with a file as a whole is told where the file is named.
    return [
        err if err.line else placed.at(loc, f"{err.path}: {err.what}")
        for loc, reading in readings
        for err in _mistakes_of(reading)
    ]


def _other_mistakes(placed: Placed) -> Iterator[ConfigError]:
    settings = placed.settings
    for i, server in enumerate(settings.dns.nameservers):
        try:
            parse_nameserver(server)
        except ParseError as err:
            yield placed.at(("dns", "nameservers", i), f"{err.what}, not '{server}'")
    for name, path in settings.networks:
        try:
            if path:
                open_table(path).close()
        except AtlasError as err:
            yield placed.at(("networks", name), str(err))
    if settings.traces.endpoint and not _can_trace():
        yield placed.at(("traces", "endpoint"), "install gatepost[otel] for traces")
    if home := home_of(settings):
        try:
            home.examine()
        except StoreError as err:
            yield placed.at(("store",), err.what)


def _can_trace() -> bool:
    """Return whether the extra `gatepost[otel]` is installed; nothing of it is loaded."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _paths(settings: Settings) -> list[str]:
    """Return what libraries read by path, and a worker must have as it was validated."""
    paths = [settings.next_hop.tls_ca_file, settings.http and settings.http.token_file]
    paths += [settings.memory.password_file, settings.memory.ca_file]
    for listener in settings.listeners:
        if listener.tls is not None:
            paths += [listener.tls.certificate, listener.tls.key]
    return [path for path in paths if path]
