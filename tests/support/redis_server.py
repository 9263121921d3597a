"""A Redis server of the test's own, on a socket in a temporary folder."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis

from reputation.redis import RedisStore
from reputation.redis.server import Server
from tests.support.debian import need_program
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START_S: Final = 10.0


class RunningRedis:
    """A server that was started; `stop` and `start` it as a fault would."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._program = need_program("redis-server")
        self._options = options
        self.socket = folder / "redis.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        arguments += ["--appendonly", "no", "--dir", str(self._folder), *self._options]
        self._process = subprocess.Popen(
            [str(self._program.path), *arguments],
            env=self._program.environment,
            stdout=subprocess.DEVNULL,
        )
        wait_until(
            lambda: self._answers() or self._process is None or self._process.poll() is not None,
            lambda: "redis-server does not answer",
            patience_s=_START_S,
        )
        assert self._process.poll() is None, "redis-server ended"

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Have it take connections and answer nothing, until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def limit(self, memory_bytes: int) -> None:
        """Have it use no more memory than that; 0: as much as there is."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.config_set("maxmemory", memory_bytes)

    def flush(self) -> None:
        """Remove everything."""
        with redis.Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()

    def store(
        self,
        random_bytes: Callable[[int], bytes],
        clock: Callable[[], float] = lambda: 0.0,
        timeout_s: float = 5.0,
    ) -> RedisStore:
        """Return a store on this server."""
        return RedisStore(Server(self.url, "", "", timeout_s), random_bytes, clock)

    def _answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket)) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False


@contextmanager
def a_redis(*options: str) -> Iterator[RunningRedis]:
    """Give a running server; its path is short, for the names of sockets are."""
    with tempfile.TemporaryDirectory(prefix="gp-redis-", dir="/tmp") as folder:
        server = RunningRedis(Path(folder), *options)
        server.start()
        try:
            yield server
        finally:
            server.stop()
