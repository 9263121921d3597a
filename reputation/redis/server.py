"""The connection to the server: running scripts, and what its errors mean."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004 - the library's name
    NoScriptError,
    ReadOnlyError,
    RedisError,
    TimeoutError,  # noqa: A004 - as above
)
from redis.retry import Retry

from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reputation.errors import Reason

_GONE: Final = (ConnectionError, BusyLoadingError, ReadOnlyError)

Argument = bytes | str | int | float


class Call:
    """A script with its keys and arguments; `digest` is what the server knows it by."""

    __slots__ = ("arguments", "digest", "keys", "script")

    def __init__(
        self, script: str, keys: Sequence[bytes], arguments: Sequence[Argument] = ()
    ) -> None:
        self.script = script
        self.digest = _digest(script)
        self.keys = keys
        self.arguments = arguments


class Server:
    """A Redis or Valkey server, over as many connections as threads ask at once.

    Args:
        url: redis://host:port/0, rediss:// with TLS, unix:///path.
        password: Of the store; empty: none.
        ca_file: Certificates that may vouch for the server; empty: those of the system.
        timeout_s: How long connecting and each answer may take.
    """

    def __init__(self, url: str, password: str, ca_file: str, timeout_s: float) -> None:
        options: dict[str, Any] = {"password": password} if password else {}
        if ca_file:
            options["ssl_ca_certs"] = ca_file
        # How many were opened; behind a new one there may be another server, or an empty one.
        self.connections = 0
        # The library's types give every answer as a union with an awaitable.
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A connection that the server closed since is noticed at its next use.
            retry=Retry(NoBackoff(), 1),
            redis_connect_func=self._greet,
            **options,
        )
        self._closed = False

    @property
    def client(self) -> Any:
        """The library's client, for plain commands."""
        if self._closed:
            raise StoreError("the store is closed", temporary=False, reason="gone")
        return self._client

    def call(self, call: Call) -> Any:
        """Run one script and return its answer."""
        with self.answering():
            try:
                return self.client.evalsha(*_wire(call))
            except NoScriptError:
                self.client.script_load(call.script)
                return self.client.evalsha(*_wire(call))

    def call_all(self, calls: Sequence[Call], guard: bytes, guard_ms: int) -> None:
        """Run all scripts, nobody else in between, and set `guard`.

        Where the server has no memory left the guard is refused before anything is done.
        """
        with self.answering():
            pipeline = self.client.pipeline(transaction=True)
            # A server that was restarted knows no script, but would set the guard all the same:
            # the batch would be taken for done. So it is told them in the same step.
            for script in {call.digest: call.script for call in calls}.values():
                pipeline.execute_command("SCRIPT LOAD", script)
            for call in calls:
                pipeline.evalsha(*_wire(call))
            pipeline.set(guard, b"", px=guard_ms)
            pipeline.execute()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn the errors of the library into ours."""
        try:
            yield
        except RedisError as err:
            if isinstance(err, ReadOnlyError):
                # It is a replica by now, and its connections live on: behind the same address
                # another one may have taken its place.
                self._client.connection_pool.disconnect()
            reason, temporary = _judge(err)
            raise StoreError(f"store: {err}", temporary=temporary, reason=reason) from err
        except OSError as err:
            # Of a file of the library's own that it reads to connect, where no descriptor is left.
            raise StoreError(f"store: {err}", reason="gone") from err

    def _greet(self, connection: Any) -> None:
        connection.on_connect()
        self.connections += 1

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        self._client.close()


@lru_cache(maxsize=64)
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def _wire(call: Call) -> list[Argument]:
    return [call.digest, len(call.keys), *call.keys, *call.arguments]


def _judge(err: RedisError) -> tuple[Reason, bool]:
    if isinstance(err, TimeoutError):
        return "slow", True
    if isinstance(err, AuthenticationError):
        return "refused", False
    if isinstance(err, _GONE):
        return "gone", True
    said = str(err)
    if "OOM" in said or "memory" in said:
        return "full", True
    if "NOAUTH" in said or "NOPERM" in said:
        return "refused", False
    # MISCONF: it cannot write to its disk; LOADING, MASTERDOWN: it will be back.
    passes = any(word in said for word in ("MISCONF", "LOADING", "MASTERDOWN", "BUSY"))
    return ("gone", True) if passes else ("other", False)
