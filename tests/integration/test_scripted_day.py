"""A scripted day of 2,000 messages: every view has the figures of the script.

Some come over relays of ours, some are refused at MAIL and RCPT, and all claim other sources.

Four workers take it, and the daemon is started anew in the middle. What is expected comes from the
script alone.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from selenium.webdriver.common.by import By

from milter.http.page import words_of
from tests.support import scripted_day as day
from tests.support.browser import a_browser, errors, opened, rows, told
from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port
from tests.support.redis_server import a_redis

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.gatepost import Gatepost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COUNT = 2000
SCRIPT = day.script(COUNT)
COUNTRIES = {"US": "United States", "NL": "Netherlands", "AU": "Australia", "ZZ": "Unknown"}


def get(daemon: Gatepost, path: str, token: str = "") -> tuple[int, str]:
    """Return status and body."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{daemon.http_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def stats(daemon: Gatepost, window: str = "24h") -> dict[str, Any]:
    told: dict[str, Any] = json.loads(get(daemon, f"/v1/stats?window={window}", day.TOKEN)[1])
    return told


def command(daemon: Gatepost, *words: str) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "milter", *words, "-c", str(daemon.config_path)],
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def shown(told: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Return the messages by dimension and value, as JSON has them."""
    exact = {
        name: {one["value"]: one["messages"] for one in values}
        for name, values in told["dimensions"].items()
    }
    tops = {
        name: {one["value"]: one["messages"] for one in top["entries"]}
        for name, top in told["top"].items()
    }
    return exact | tops


def assert_script(told: dict[str, dict[str, int]], mails: list[day.Mail]) -> None:
    for name, values in day.expected(mails).items():
        ours = {
            one: count for one, count in told[name].items() if name != "symbol" or one in values
        }
        assert ours == values, name


def counters(daemon: Gatepost) -> Counter[tuple[str, str]]:
    """Return the counters of Prometheus by what they count."""
    found: Counter[tuple[str, str]] = Counter()
    for family in text_string_to_metric_families(get(daemon, "/metrics")[1]):
        for sample in family.samples:
            if sample.name == "gatepost_messages_total":
                found["action", sample.labels["action"]] += int(sample.value)
            elif sample.name == "gatepost_spam_kind_total":
                found["kind", sample.labels["kind"]] += int(sample.value)
            elif sample.name == "gatepost_symbols_total":
                found["symbol", sample.labels["symbol"]] += int(sample.value)
            elif sample.name == "gatepost_bytes_saved_total":
                found["saved", sample.labels["stage"]] += int(sample.value)
            elif sample.name == "gatepost_message_bytes_total":
                found["received", ""] += int(sample.value)
    return found


def settled(daemon: Gatepost, mails: int) -> None:
    """Wait until sums and sketches are in the store."""
    wait_until(
        lambda: (
            (told := stats(daemon))["totals"]["messages"] == mails
            and told["top"]["network"]["counted"] == mails
        ),
        lambda: json.dumps(stats(daemon)["totals"]),
        patience_s=120.0,
    )


def test_every_view_has_the_figures_of_the_script(tmp_path: Path) -> None:
    with running_sink() as sink:
        config, files = day.a_site(tmp_path, f"127.0.0.1:{sink.port}", workers=4)
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, SCRIPT[: COUNT // 2])
            wait_until(lambda: counters(daemon)["action", "pass"] > 0)
            settled(daemon, COUNT // 2)
            before = counters(daemon)
            # A stop in order loses nothing, whatever was not written yet.
            day.send(daemon.port, SCRIPT[COUNT // 2 : COUNT // 2 + 100])
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, SCRIPT[COUNT // 2 + 100 :])
            settled(daemon, COUNT)
            assert_views(daemon, before)
            assert_page(daemon, SCRIPT)


def in_csv(text: str, column: str = "messages") -> dict[str, dict[str, int]]:
    """Return the messages, or another column, by dimension and value."""
    table: dict[str, dict[str, int]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        table.setdefault(row["dimension"], {})[row["value"]] = int(row[column] or 0)
    return table


def in_markdown(text: str) -> list[list[str]]:
    """Return the rows of all tables of a report, their heads too."""
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[re.sub(r"\\(.)", r"\1", cell) for cell in cells] for cells in lines]


def in_html(text: str) -> list[list[str]]:
    """Return the rows of all tables of a report, their heads too."""
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in rows
    ]


def in_tables(rows: list[list[str]]) -> dict[str, dict[str, int]]:
    """Return the messages by dimension and value; a row with `messages` heads a table."""
    tables: dict[str, dict[str, int]] = {}
    values: dict[str, int] = {}
    for row in rows:
        if len(row) < 3 or row[0] == "---":
            continue
        if row[1] == "messages":
            values = tables.setdefault(row[0].replace(" ", "_"), {})
        elif row[1].replace(",", "").isdecimal():
            values[row[0]] = int(row[1].replace(",", ""))
    return tables


def assert_drawn(text: str) -> None:
    """Hold what the terminal shows against the script."""
    assert f"{COUNT:,} messages, {day.received(SCRIPT):,} bytes" in text
    assert f"{sum(day.saved(SCRIPT).values()):,} bytes never sent" in text
    script = day.expected(SCRIPT)
    shown = ("action", "kind", "stage", "country", "route", "hops", "language", "network")
    for name in (*shown, "recipient_domain"):
        for value, count in script[name].items():
            line = rf"^ *{re.escape(value)} +{count:,} "
            assert re.search(line, text, re.MULTILINE), (name, value)


@pytest.mark.debian
def test_figures_in_redis_are_those_of_the_script_too(tmp_path: Path) -> None:
    port, mails = free_port(), SCRIPT[:60]
    with running_sink() as sink, a_redis("--port", str(port)):
        config, files = day.a_site(tmp_path, f"127.0.0.1:{sink.port}", workers=2)
        config["store"] = f"redis://127.0.0.1:{port}/0"
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, mails[:30])
            settled(daemon, 30)
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, mails[30:])
            settled(daemon, 60)
            assert_script(shown(stats(daemon)), mails)
            assert_page(daemon, mails)


def assert_views(daemon: Gatepost, before: Counter[tuple[str, str]]) -> None:
    assert_api(stats(daemon))
    assert_script(shown(json.loads(command(daemon, "stats", "--window", "24h", "--json"))), SCRIPT)
    assert_tables_of_numbers(daemon)
    assert_reports(daemon)
    assert_drawn(command(daemon, "stats", "--window", "24h"))
    # Counters begin anew with the daemon, which Prometheus knows; what was sent after the last
    # scrape before the restart it cannot.
    unseen = counted(SCRIPT[COUNT // 2 : COUNT // 2 + 100])
    total = before + counters(daemon) + unseen
    assert {name: total[name] for name in counted(SCRIPT)} == counted(SCRIPT)


def assert_api(told: dict[str, Any]) -> None:
    """Hold what `/v1/stats` tells against the script."""
    assert_script(shown(told), SCRIPT)
    assert told["totals"]["unwanted"] == day.unwanted(SCRIPT)
    assert told["totals"]["bytes"] == day.received(SCRIPT)
    assert told["totals"]["bytes_saved"] == sum(day.saved(SCRIPT).values())
    stages = {one["value"]: one["bytes_saved"] for one in told["dimensions"]["stage"]}
    assert stages == day.saved(SCRIPT)
    assert sum(moment["messages"] for moment in told["timeline"]) == COUNT
    assert {top["error"] for top in told["top"].values()} == {0}
    # Texts of three languages, and what was signed of them: nearly all of each is one campaign.
    campaigns = sorted(
        (one["messages"] for one in told["top"]["campaign"]["entries"]), reverse=True
    )
    come = day.expected(SCRIPT)["stage"]["message"]
    assert come >= sum(campaigns[:3]) >= 0.95 * come
    # What the headers claimed is nowhere, and our relays are no sources.
    assert shown(told)["block"] == blocks(SCRIPT)
    assert "203.0.113" not in json.dumps(told)


def a_report(daemon: Gatepost, form: str) -> str:
    """Return the report on this month, in Markdown, CSV, JSON or HTML."""
    month = f"{datetime.now(UTC):%Y-%m}"
    return command(daemon, "report", "--period", month, "--format", form, "--personal")


def assert_tables_of_numbers(daemon: Gatepost) -> None:
    """Hold both CSV files against the script."""
    for text in (
        a_report(daemon, "csv"),
        get(daemon, "/v1/stats?window=24h&format=csv", day.TOKEN)[1],
    ):
        table = in_csv(text)
        assert_script(table, SCRIPT)
        assert table["all"] == {"": COUNT}
        assert in_csv(text, "bytes_saved")["stage"] == day.saved(SCRIPT)
        assert in_csv(text, "bytes")["all"] == {"": day.received(SCRIPT)}


def assert_reports(daemon: Gatepost) -> None:
    """Hold the reports that people read, and that programs do, against the script."""
    assert_script(shown(json.loads(a_report(daemon, "json"))), SCRIPT)
    for lines in (in_markdown(a_report(daemon, "md")), in_html(a_report(daemon, "html"))):
        assert_script(in_tables(lines), SCRIPT)
        assert ["Messages", f"{COUNT:,}"] in lines
        assert ["Bytes", f"{day.received(SCRIPT):,}"] in lines
        saved = f"{sum(day.saved(SCRIPT).values()):,}"
        assert ["Bytes that were announced and never sent", saved] in lines


def counted(mails: list[day.Mail]) -> Counter[tuple[str, str]]:
    """Return what the counters of Prometheus have to say."""
    found = Counter({("received", ""): day.received(mails)})
    for name in ("action", "kind", "symbol"):
        found += Counter({(name, value): n for value, n in day.expected(mails)[name].items()})
    return found + Counter({("saved", stage): n for stage, n in day.saved(mails).items()})


def assert_page(daemon: Gatepost, mails: list[day.Mail]) -> None:
    """Hold the figures that a person reads in the page against the script."""
    script, words = day.expected(mails), words_of("en")
    with a_browser() as browser:
        browser.get(f"http://127.0.0.1:{daemon.http_port}/?lang=en")
        browser.execute_script("sessionStorage.setItem('window', '24h')")
        browser.execute_script("sessionStorage.setItem('token', arguments[0])", day.TOKEN)
        opened(browser, daemon)
        wait_until(lambda: bool(rows(browser, "block")), lambda: told(browser, "main"))

        wanted = tables_of_the_page(mails, words)
        for name, values in wanted.items():
            assert {row[0]: row[1] for row in rows(browser, name)} == {
                value: f"{count:,}" for value, count in values.items()
            }, name
        symbols = {row[0]: row[1] for row in rows(browser, "symbol")}
        assert {name: symbols[name] for name in script["symbol"]} == {
            name: f"{count:,}" for name, count in script["symbol"].items()
        }
        shares = {row[0]: row[2] for row in rows(browser, "action")}
        rejected = Decimal(100 * script["action"]["reject"]) / len(mails)
        assert shares[words["a_reject"]] == in_tenths(rejected) + "%"
        facts = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "#totals dd")]
        assert facts[0] == f"{len(mails):,}"
        assert in_tenths(Decimal(sum(day.saved(mails).values())) / 10**6) + " MB" in facts
        # The legend names what there was; the map has a circle for each place that is known.
        legend = browser.find_elements(By.CSS_SELECTOR, "#time .key li")
        assert {one.text for one in legend} == set(wanted["action"])
        circles = browser.find_elements(By.CSS_SELECTOR, "#map circle")
        assert len(circles) == len(set(script["country"]) - {"ZZ"})
        assert errors(browser) == []


def tables_of_the_page(
    mails: list[day.Mail], words: Mapping[str, str]
) -> dict[str, Mapping[str, int]]:
    """Return what the tables of the page have to say, in its words, by the table's name."""
    script = day.expected(mails)
    return {
        "action": {words[f"a_{name}"]: count for name, count in script["action"].items()},
        "kind": {words[f"k_{name}"]: count for name, count in script["kind"].items()},
        "country": {COUNTRIES[name]: count for name, count in script["country"].items()},
        "route": {
            f"{COUNTRIES[one.partition(' > ')[0]]} > inbound": count
            for one, count in script["route"].items()
        },
        "hops": script["hops"],
        "stage": {
            words["end_of_message"] if name == "message" else name.upper(): count
            for name, count in script["stage"].items()
        },
        "network": script["network"],
        "network_route": script["network_route"],
        "recipient_domain": script["recipient_domain"],
        "block": blocks(mails),
    }


def in_tenths(figure: Decimal) -> str:
    """Return `figure` as the page writes it."""
    return f"{figure.quantize(Decimal('0.1'), ROUND_HALF_UP)}".removesuffix(".0")


def blocks(mails: list[day.Mail]) -> dict[str, int]:
    """Return the messages by block of addresses."""
    return dict(Counter(f"{mail.address.rpartition('.')[0]}.0/24" for mail in mails))
