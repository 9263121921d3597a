"""`GET /v1/stats`: the figures for everybody, and nothing personal without the token."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import jsonschema
import pytest

from milter.daemon.figures import WindowReader
from milter.http.rate import Rate
from milter.http.server import HttpServer, Views
from milter.http.statistics import STATISTICS, as_csv
from milter.memory.client import StoreClient
from reputation.memory import MemoryStore
from reputation.statistics.figures import read_window
from reputation.statistics.money import Prices
from reputation.statistics.windows import WINDOWS
from tests.support.counted_mail import an_observation, count
from tests.support.passing import no_worker
from tests.support.stores import Counted, random_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milter.http.health import Status

NOW = 1_800_013_530.0
TOKEN = {"Authorization": "Bearer secret"}
PRICES = Prices(gigabyte=2.0, cpu_hour=0.5, user_hour=30.0, spam_minutes=0.5)


def _no_status() -> Status:
    raise AssertionError("nobody asks for the state here")


def a_store() -> MemoryStore:
    store = MemoryStore(random_bytes())
    mail = [an_observation(NOW) for _ in range(3)]
    mail += [an_observation(NOW, "reject", saved=500) for _ in range(2)]
    count(store, mail, NOW)
    return store


@asynccontextmanager
async def a_port(store: MemoryStore | None, *, privacy: bool = False) -> AsyncIterator[str]:
    reader = None
    if store is not None:
        client = StoreClient(
            lambda: store, counts=Counted(), clock=lambda: NOW, monotonic=lambda: 0.0
        )
        reader = WindowReader(client, PRICES, privacy=privacy)
    rate = Rate(50, lambda: 0.0)
    server = HttpServer(Views(_no_status, bytes, no_worker(), list, rate, b"secret", reader))
    listening = socket.create_server(("127.0.0.1", 0))
    await server.start(listening)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await server.close()


def ask(
    query: str = "",
    headers: dict[str, str] | None = None,
    *,
    privacy: bool = False,
    store: MemoryStore | None = None,
    nothing: bool = False,
) -> tuple[int, str, Any]:
    async def run() -> tuple[int, str, Any]:
        home = None if nothing else store or a_store()
        async with (
            a_port(home, privacy=privacy) as address,
            aiohttp.ClientSession() as session,
            session.get(f"{address}/v1/stats{query}", headers=headers) as answer,
        ):
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return answer.status, text, await answer.json() if is_json else None

    return asyncio.run(run())


@pytest.mark.parametrize("word", WINDOWS)
def test_figures_of_every_window_fit_the_schema(word: str) -> None:
    status, _, told = ask(f"?window={word}")

    assert status == 200
    jsonschema.validate(told, STATISTICS.answers[200].schema)
    assert told["window"] == word
    assert told["totals"] == {"messages": 5, "bytes": 5000, "unwanted": 2, "bytes_saved": 1000}
    assert told["dimensions"]["action"][0]["value"] == "pass"
    assert sum(moment["messages"] for moment in told["timeline"]) == 5
    assert told["top"]["network"]["entries"][0]["messages"] == 5


def test_without_a_token_nothing_points_to_anybody() -> None:
    _, text, told = ask()

    assert told["personal"] is False
    assert set(told["top"]) == {"network", "network_route", "campaign"}
    assert "192.0.2" not in text
    assert "ours.example" not in text


def test_token_shows_blocks_and_domains() -> None:
    _, _, told = ask(headers=TOKEN)

    assert told["personal"] is True
    assert told["top"]["block"]["entries"][0]["value"] == "192.0.2.0/24"
    assert told["top"]["recipient_domain"]["entries"][0]["value"] == "ours.example"


@pytest.mark.parametrize("query", ["", "?format=csv"])
def test_site_that_wants_privacy_shows_none_to_anybody(query: str) -> None:
    _, text, _ = ask(query, TOKEN, privacy=True)

    assert "192.0.2" not in text
    assert "ours.example" not in text


def test_money_is_told_with_its_formula() -> None:
    _, _, told = ask()

    items = {one["name"]: one for one in told["money"]["spent"] + told["money"]["saved"]}
    assert items["cpu"] == {"name": "cpu", "amount": 1.0, "formula": "2 hours of CPU x 0.5"}
    assert items["users"]["amount"] == 2 * 0.5 / 60 * 30
    assert items["users"]["formula"] == "2 messages kept away x 0.5 minutes / 60 x 30"


def test_table_has_a_row_for_each_value() -> None:
    _, text, _ = ask("?format=csv", TOKEN)

    rows = list(csv.DictReader(io.StringIO(text)))
    found = {(row["dimension"], row["value"]): row["messages"] for row in rows}
    assert found["all", ""] == "5"
    assert found["action", "reject"] == "2"
    assert found["block", "192.0.2.0/24"] == "5"


def test_name_of_a_network_becomes_no_formula_of_a_spreadsheet() -> None:
    store = MemoryStore(random_bytes())
    count(store, [an_observation(NOW, network='=HYPERLINK("x")')], NOW)

    text = as_csv(read_window(store, WINDOWS["1h"], NOW), personal=True)

    assert '"\'=HYPERLINK(""x"")"' in text


@pytest.mark.parametrize("query", ["?window=2h", "?format=xml", "?window="])
def test_unknown_window_or_format_is_refused(query: str) -> None:
    status, text, _ = ask(query)

    assert status == 400
    assert "is one of" in text


def test_site_without_a_store_counts_nothing() -> None:
    status, text, _ = ask(nothing=True)

    assert status == 404
    assert "store" in text


def test_store_that_fails_is_told_to_come_later() -> None:
    store = a_store()
    store.close()

    status, _, told = ask(store=store)

    assert status == 503
    assert told == {"error": "the store does not answer, try again"}


def test_many_who_ask_at_once_cost_one_reading() -> None:
    counts = Counted()

    async def run() -> None:
        store = a_store()
        client = StoreClient(lambda: store, counts=counts, clock=lambda: NOW, monotonic=lambda: 0.0)
        reader = WindowReader(client, PRICES, privacy=False)
        await asyncio.gather(*(reader.window("1h") for _ in range(50)))
        await reader.close()

    asyncio.run(run())

    assert counts.operations.count("sums") == 1
