"""The supervisor: opens the sockets, keeps the workers of one configuration, reloads, drains.

It takes no mail itself. A reload never takes what it cannot run: the new configuration is read, its
addresses are opened and its workers must all be ready before the old ones are told to finish.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import time
from typing import TYPE_CHECKING, Any, Final

from milter.daemon.aside import NoThreadError, aside
from milter.daemon.configuration import socket_key
from milter.daemon.generation import GRACE_S, Generation, WorkersFailedError, Workshop
from milter.daemon.listening import ListenError, Listeners
from milter.daemon.minding import Minder
from milter.daemon.premises import handovers
from milter.daemon.sdnotify import reloading
from milter.daemon.view import daemon_status, http_server
from policies.errors import ConfigErrors

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from milter.daemon.configuration import Configuration
    from milter.daemon.premises import Premises
    from milter.daemon.view import State
    from milter.daemon.watching import ConfigurationFiles
    from milter.http.health import ReloadResult, Status
    from milter.http.server import HttpServer

_log: Final = logging.getLogger("gatepost.daemon")

_HTTP: Final = "http "
# A reload is in no hurry: what a client may wait for its final reply (RFC 5321 §4.5.3.2.6).
RELOAD_DRAIN_S: Final = 600.0


class Supervisor:
    """One daemon, from `run` to its end.

    Args:
        premises: What it has whatever the configuration is.
        command: Starts a worker.
        files: Reads and validates the configuration anew, and sees when its files change.
        on_change: Told of every configuration that is taken; logging follows it.
    """

    def __init__(
        self,
        premises: Premises,
        command: Sequence[str],
        files: ConfigurationFiles,
        on_change: Callable[[Configuration], None],
    ) -> None:
        self._premises = premises
        self._workshop = Workshop(
            command, premises.table, premises.metrics_folder, premises.metrics, time.monotonic
        )
        self._files = files
        self._on_change = on_change
        self._listeners = Listeners()
        self._generations: dict[Generation, asyncio.Task[None]] = {}
        self._current: Generation | None = None
        self._configuration: Configuration | None = None
        self._in_use: frozenset[str] = frozenset()
        self._http: HttpServer | None = None
        self._number = 0
        self._state: State = "starting"
        self._failure: Exception | None = None
        self._last_reload: ReloadResult = "ok"
        self._asked: set[Callable[[asyncio.TaskGroup], Coroutine[Any, Any, ReloadResult]]] = set()
        self._asking = asyncio.Event()
        self._minder = Minder(
            premises.table,
            files.changed,
            lambda: self._ask(self._reload),
            lambda: self._ask(self._roll_back),
        )
        self._stop_asked = asyncio.Event()
        self._kill_asked = asyncio.Event()

    async def run(self, configuration: Configuration) -> int:
        """Serve until told to stop; return the exit code: 1 when the stop was cut short.

        Raises:
            ConfigErrors: An address of the first configuration cannot be listened on.
            WorkersFailedError: Its workers do not start.
        """
        with self._signals():
            async with asyncio.TaskGroup() as group:
                pulse = self._premises.pulse.watch(self._silent_s, self._end_silent)
                tasks = (self._watch(), self._minder.tend(), pulse)
                side = [group.create_task(task) for task in tasks]
                try:
                    await self._serve(group, configuration)
                finally:
                    await self._stop()
                    for task in side:
                        task.cancel()
        if self._failure is not None:
            raise self._failure
        return int(self._kill_asked.is_set())

    def status(self) -> Status:
        """Return how the daemon is at this moment."""
        workers = self._configuration.workers if self._configuration else 0
        return daemon_status(self._premises, self._state, workers, self._last_reload)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        actions = {
            signal.SIGHUP: lambda: self._ask(self._reload),
            signal.SIGTERM: self._ask_to_stop,
            signal.SIGINT: self._ask_to_stop,
        }
        for number, action in actions.items():
            loop.add_signal_handler(number, action)
        # Held since our start: what came meanwhile is heard now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, actions)
        try:
            yield
        finally:
            for number in actions:
                loop.remove_signal_handler(number)

    def _ask(
        self, change: Callable[[asyncio.TaskGroup], Coroutine[Any, Any, ReloadResult]]
    ) -> None:
        """Have `change` made when no other one is under way."""
        self._asked.add(change)
        self._asking.set()

    def _ask_to_stop(self) -> None:
        # Who asks twice does not want to wait for what is still being delivered.
        (self._kill_asked if self._stop_asked.is_set() else self._stop_asked).set()

    async def _watch(self) -> None:
        """Tell the service manager that this loop turns."""
        interval_s = self._premises.watchdog_s
        while interval_s is not None:
            self._premises.notify("WATCHDOG=1")
            await asyncio.sleep(interval_s)

    def _silent_s(self) -> float:
        return self._configuration.settings.limits.silent_s if self._configuration else math.inf

    def _end_silent(self, slot: int, why: str) -> None:
        for generation in self._generations:
            generation.kill_one(slot, why)

    async def _serve(self, group: asyncio.TaskGroup, configuration: Configuration) -> None:
        """Start, then reload whenever asked, until asked to stop."""
        await self._unless_stopped(self._first(group, configuration))
        while not self._stop_asked.is_set():
            await self._unless_stopped(self._next_change(group))

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(work)
            stopping = group.create_task(self._stop_asked.wait())
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            stopping.cancel()

    async def _first(self, group: asyncio.TaskGroup, configuration: Configuration) -> None:
        self._configuration = configuration
        try:
            with contextlib.ExitStack() as undo:
                sockets = self._open(configuration, undo)
                undo.pop_all()
            self._in_use = frozenset(sockets)
            self._http = await self._port(configuration, sockets)
            await self._begin(group, configuration, sockets)
        except (ConfigErrors, WorkersFailedError) as err:
            self._failure = err
            self._stop_asked.set()
            return
        self._minder.took(self._number, configuration)
        self._enter("serving")
        _log.info("started", extra={"workers": configuration.workers})

    async def _next_change(self, group: asyncio.TaskGroup) -> None:
        await self._asking.wait()
        if not self._asked:
            self._asking.clear()
            return
        # What took verdicts to find out comes before what the files say by now.
        change = self._roll_back if self._roll_back in self._asked else self._reload
        self._asked.discard(change)
        if not self._asked:
            self._asking.clear()
        self._state = "reloading"
        self._premises.notify(reloading(time.monotonic_ns()))
        with self._minder.resting():
            self._last_reload = await self._result_of(change(group))
        self._premises.metrics.reload(self._last_reload)
        self._enter("serving")

    async def _result_of(self, change: Coroutine[Any, Any, ReloadResult]) -> ReloadResult:
        try:
            return await change
        except ConfigErrors as err:
            for mistake in err.errors:
                _log.error("configuration refused", extra={"error": str(mistake)})
            return "refused"
        except (WorkersFailedError, NoThreadError) as err:
            _log.error("reload failed", extra={"error": str(err)})
            return "failed"
        except Exception:  # noqa: BLE001 - what was not thought of here must not end what runs well
            _log.exception("reload failed")
            return "failed"

    async def _reload(self, group: asyncio.TaskGroup) -> ReloadResult:
        """Take the configuration as it is now.

        Raises:
            ConfigErrors: It cannot be taken; nothing has changed.
            WorkersFailedError: Its workers do not start; nothing has changed.
            NoThreadError: Nothing can read it now; nothing has changed.
        """
        # Compiling policies takes long enough to miss the watchdog or a dead worker.
        configuration = await aside(self._files.read)
        await self._change_to(group, configuration)
        self._minder.took(self._number, configuration)
        # The trial of another one that was replaced meanwhile is over.
        self._asked.discard(self._roll_back)
        _log.info("reloaded", extra={"workers": configuration.workers})
        return "ok"

    async def _roll_back(self, group: asyncio.TaskGroup) -> ReloadResult:
        """Take the last configuration back that has held; `Minder` asks again if that fails."""
        good = self._minder.good
        assert good is not None  # noqa: S101 - nothing is on trial before a first one was taken
        try:
            await self._change_to(group, good)
        except (ConfigErrors, WorkersFailedError) as err:
            why = f"{self._minder.why}; the one before cannot run: {err}"
            _log.error("configuration not rolled back", extra={"error": why})
            return "failed"
        self._minder.took_back(self._number, good)
        self._asked.discard(self._roll_back)
        _log.error("configuration rolled back", extra={"error": self._minder.why})
        return "rolled_back"

    async def _change_to(self, group: asyncio.TaskGroup, configuration: Configuration) -> None:
        """Replace workers and addresses by those of `configuration`."""
        old = self._current
        async with contextlib.AsyncExitStack() as undo:
            # All that may fail comes before what runs is touched.
            sockets = self._open(configuration, undo.enter_context(contextlib.ExitStack()))
            port = await self._port(configuration, sockets)
            undo.push_async_callback(_close, port)
            await self._begin(group, configuration, sockets)
            undo.pop_all()
        self._configuration, self._in_use = configuration, frozenset(sockets)
        self._listeners.keep_only(sockets)
        port, self._http = self._http, port
        # A caller who does not read its answer is waited for, and nobody with it.
        group.create_task(_close_aside(port))
        self._on_change(configuration)
        if old is not None:
            old.drain(RELOAD_DRAIN_S)
            # Who hears that the reload is done may count on every new session seeing it.
            await old.closed()

    def _open(
        self, configuration: Configuration, undo: contextlib.ExitStack
    ) -> Mapping[str, socket.socket]:
        """Return the sockets of `configuration`; those open already are used again.

        Raises:
            ConfigErrors: One cannot be opened.
        """
        settings, binds = configuration.settings, configuration.binds()
        whose = [(socket_key(one.name, one.bind), one) for one in settings.listeners]
        try:
            if http := settings.http:
                binds[_HTTP + http.bind] = http.bind
            sockets = self._listeners.open_all(binds, undo)
            for key, one in (*whose, *([(_HTTP + http.bind, http)] if http else ())):
                take_back = self._listeners.hand_over(
                    key, one.bind, one.socket_mode, one.socket_owner
                )
                undo.callback(take_back)
        except ListenError as err:
            raise configuration.not_listening(err) from err
        return sockets

    async def _begin(
        self,
        group: asyncio.TaskGroup,
        configuration: Configuration,
        sockets: Mapping[str, socket.socket],
    ) -> None:
        """Start the workers of `configuration` and wait until they take mail."""
        self._number += 1
        generation = Generation(
            self._number,
            configuration.workers,
            self._workshop,
            handovers(self._premises, configuration, sockets, self._number),
        )
        self._generations[generation] = group.create_task(self._keep(generation))
        try:
            await generation.started()
        except BaseException:
            # Also when a stop comes in between: no worker may stay that nobody counts on.
            generation.kill()
            raise
        self._current = generation

    async def _keep(self, generation: Generation) -> None:
        try:
            await generation.run()
        finally:
            del self._generations[generation]

    async def _port(
        self, configuration: Configuration, sockets: Mapping[str, socket.socket]
    ) -> HttpServer | None:
        """Serve HTTP as `configuration` says, beside what serves it already."""
        if (http := configuration.settings.http) is None:
            return None
        # The server closes its socket; ours stays for the next configuration.
        listening = sockets[_HTTP + http.bind].dup()
        server = http_server(self._premises, configuration, http, self.status)
        try:
            await server.start(listening)
        except BaseException:
            listening.close()
            await server.close()
            raise
        return server

    def _enter(self, state: State) -> None:
        self._state = state
        self._premises.notify(f"READY=1\nSTATUS={self.status().workers_ready} workers take mail")

    async def _stop(self) -> None:
        """Take nothing new, let the workers finish for as long as configured, and end."""
        self._state = "draining"
        self._premises.notify("STOPPING=1")
        _log.info("stopping")
        # As long as one process has a listening socket open, clients connect to it and wait.
        self._listeners.keep_only(key for key in self._in_use if key.startswith(_HTTP))
        drain_s = self._configuration.settings.limits.drain_s if self._configuration else 0.0
        for generation in self._generations:
            generation.drain(drain_s)
        await self._all_ended(drain_s + GRACE_S)
        await _close(self._http)
        self._listeners.keep_only(())
        _log.info("stopped")

    async def _all_ended(self, timeout_s: float) -> None:
        """Wait for the workers; kill them after `timeout_s` or when asked to."""
        if not self._generations:
            return
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(asyncio.wait(tuple(self._generations.values())))
            killing = group.create_task(self._kill_asked.wait())
            await asyncio.wait(
                {ending, killing}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            for generation in self._generations:
                generation.kill()
            await ending
            killing.cancel()


async def _close(server: HttpServer | None) -> None:
    if server is not None:
        await server.close()


async def _close_aside(server: HttpServer | None) -> None:
    try:
        await _close(server)
    except Exception:  # noqa: BLE001 - the end of what is no longer used must not end the daemon
        _log.exception("port not closed")
