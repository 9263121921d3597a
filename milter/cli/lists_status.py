"""Asks the running daemon how its DNS lists are (`GET /v1/lists`)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from milter.core.errors import GatepostError
from milter.http.lists import PATH, ListStatus

if TYPE_CHECKING:
    from milter.settings import Settings

_UNIX: Final = "unix:"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


class NotAnsweringError(GatepostError):
    """No daemon answers where the configuration says that one should."""


async def ask_daemon(settings: Settings) -> list[ListStatus]:
    """Return the lists as the daemon of `settings` sees them.

    Raises:
        NotAnsweringError: Nobody answers, or not what a daemon of this version answers.
    """
    if settings.http is None:
        raise NotAnsweringError("the daemon has no HTTP port: `http` is null in its configuration")
    bind = settings.http.bind
    unix = bind.startswith(_UNIX)
    connector = aiohttp.UnixConnector(bind.removeprefix(_UNIX)) if unix else None
    address = "http://gatepost" if unix else f"http://{_reachable(bind)}"
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=_TIMEOUT, trust_env=False
            ) as session,
            session.get(f"{address}{PATH}") as answer,
        ):
            answer.raise_for_status()
            body = await answer.json()
        return [ListStatus(**each) for each in body["lists"]]
    except (aiohttp.ClientError, OSError, TimeoutError, TypeError, ValueError, KeyError) as err:
        what = f"no daemon answers at {bind} ({_why(err)}); is it running?"
        raise NotAnsweringError(what) from err


def shown_state(status: ListStatus) -> dict[str, Any]:
    """Return a list as people and programs read it."""
    words = status.reason
    if status.since and status.reason:
        since = datetime.fromtimestamp(status.since, UTC)
        words += f", since {since:%Y-%m-%d %H:%M:%S} UTC"
    if status.retry_s:
        words += f"; tried again in {status.retry_s:.0f} s"
    return {
        "zone": status.zone,
        "effect": status.effect,
        "state": status.state,
        "why": words,
        "asked_today": status.asked,
        "a_day": status.a_day,
        "workers": status.workers,
        "workers_up": status.workers_up,
    }


def _why(err: Exception) -> str:
    """Return the cause in the words of the system where it has some."""
    if isinstance(err, aiohttp.ClientConnectorError) and err.os_error.errno:
        return os.strerror(err.os_error.errno)
    return str(err) or type(err).__name__


def _reachable(bind: str) -> str:
    """Return where a port that is bound to every address is reached from here."""
    host, _, port = bind.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104
