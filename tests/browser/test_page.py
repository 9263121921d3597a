"""The page in a real browser: it loads, updates itself, and is usable by everybody.

Chromium and its driver come from Debian, axe-core from npm (`.ci/packages`). Screenshots are kept
in `build/screenshots`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from milter.http.page import LANGUAGES, words_of
from tests.support import scripted_day as day
from tests.support.browser import NARROW, WIDE, a_browser, errors, opened, text_of, told
from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until
from tests.support.ports import free_port
from tests.support.redis_server import a_redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

    from tests.support.gatepost import Gatepost

pytestmark = [pytest.mark.slow, pytest.mark.debian, pytest.mark.timeout(300)]

_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
_SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
_MAIL = 40
# How far figures end from where the heads of their columns end, at most, in whole pixels.
_ASKEW = """
const rtl = getComputedStyle(document.body).direction === "rtl";
const end = (cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const box = range.getBoundingClientRect();
  return rtl ? box.left : box.right;
};
const tables = [...document.querySelectorAll("#action table, #kind table")];
if (!tables.length) return -1;
return Math.round(Math.max(...tables.flatMap((table) => [...table.tHead.rows[0].cells].flatMap(
  (head, place) => head.classList.contains("n")
    ? [...table.tBodies[0].rows].map((row) => Math.abs(end(row.cells[place]) - end(head))) : []))));
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatepost]:
    folder = tmp_path_factory.mktemp("page")
    with running_sink() as sink:
        config, files = day.a_site(folder, f"127.0.0.1:{sink.port}")
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, day.script(_MAIL))
            yield daemon


def messages(browser: WebDriver) -> int:
    return int(text_of(browser, "#totals dd").replace(",", "") or "0")


def violations(browser: WebDriver) -> list[str]:
    if not _AXE.exists():
        pytest.skip("axe-core is not here: .ci/packages gets it from npm")
    # The page's own policy lets no script in; what the driver runs is above it.
    browser.execute_script(_AXE.read_text("utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run().then(done, (e) => done({error: String(e)}));"
    )
    assert "error" not in found, found
    return [
        f"{one['id']}: {json.dumps([node['html'][:120] for node in one['nodes']][:3])}"
        for one in found["violations"]
    ]


def shot(browser: WebDriver, name: str) -> None:
    _SHOTS.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(_SHOTS / f"{name}.png"))


def test_page_loads_and_updates_itself_while_mail_flows(daemon: Gatepost) -> None:
    with a_browser() as browser:
        opened(browser, daemon)
        wait_until(lambda: messages(browser) >= _MAIL, lambda: told(browser, "totals"))
        before = messages(browser)

        day.send(daemon.port, day.script(10))

        wait_until(lambda: messages(browser) == before + 10, lambda: told(browser, "totals"))
        assert "malware" in told(browser, "kind").lower()
        assert "United States" in told(browser, "country")
        assert errors(browser) == []


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("language", LANGUAGES)
def test_page_fits_speaks_and_passes_axe(daemon: Gatepost, width: int, language: str) -> None:
    with a_browser(width) as browser:
        opened(browser, daemon, f"?lang={language}")

        wide = browser.execute_script("return document.documentElement.scrollWidth")
        direction = browser.execute_script("return getComputedStyle(document.body).direction")
        shot(browser, f"{language}-{width}")

        assert wide <= width
        assert direction == ("rtl" if language == "ar" else "ltr")
        assert words_of(language)["over_time"] in told(browser, "main")
        # What was sent last may not be counted yet.
        wait_until(lambda: browser.execute_script(_ASKEW) >= 0)
        assert browser.execute_script(_ASKEW) == 0
        assert violations(browser) == []
        assert errors(browser) == []


def test_page_in_the_dark_passes_axe(daemon: Gatepost) -> None:
    with a_browser() as browser:
        scheme = [{"name": "prefers-color-scheme", "value": "dark"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        opened(browser, daemon)
        shot(browser, "dark")

        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")

        assert ground == "rgb(20, 23, 26)"
        assert violations(browser) == []


def test_everything_can_be_done_with_the_keyboard(daemon: Gatepost) -> None:
    with a_browser() as browser:
        opened(browser, daemon)
        reached = []
        for _ in range(20):
            browser.switch_to.active_element.send_keys(Keys.TAB)
            active = browser.switch_to.active_element
            reached.append(
                active.get_attribute("id") or active.get_attribute("value") or active.text
            )
            if reached[-1] == "7d":
                active.send_keys(Keys.ENTER)
            elif reached[-1] == "secret":
                active.send_keys(day.TOKEN, Keys.ENTER)

        assert {"5m", "7d", "language", "secret"} <= set(reached)
        pressed = browser.find_element(By.CSS_SELECTOR, '#windows [aria-pressed="true"]')
        assert pressed.get_attribute("value") == "7d"
        wait_until(lambda: "8.8.8.0/24" in told(browser, "block"), lambda: told(browser, "main"))


def test_token_shows_sources_and_verdicts_and_can_be_forgotten(daemon: Gatepost) -> None:
    with a_browser() as browser:
        opened(browser, daemon)
        assert "8.8.8.0" not in browser.page_source

        browser.find_element(By.ID, "secret").send_keys(day.TOKEN, Keys.ENTER)
        wait_until(lambda: "8.8.8.0/24" in told(browser, "block"), lambda: told(browser, "main"))
        wait_until(lambda: "550" in told(browser, "verdicts"), lambda: told(browser, "verdicts"))
        shot(browser, "token")
        assert violations(browser) == []
        browser.find_element(By.ID, "forget").click()

        wait_until(lambda: "8.8.8.0" not in browser.page_source, lambda: browser.page_source)
        assert not browser.find_element(By.ID, "s-verdicts").is_displayed()
        assert errors(browser) == []


def test_page_of_a_private_site_shows_no_address_to_anybody(tmp_path: Path) -> None:
    with running_sink() as sink:
        config, files = day.a_site(tmp_path, f"127.0.0.1:{sink.port}", statistics={"privacy": True})
        with running_gatepost(config, files) as daemon, a_browser() as browser:
            day.send(daemon.port, day.script(_MAIL))
            opened(browser, daemon)
            browser.find_element(By.ID, "secret").send_keys(day.TOKEN, Keys.ENTER)
            wait_until(lambda: messages(browser) >= _MAIL, lambda: told(browser, "totals"))

            source = browser.page_source

            assert not browser.find_element(By.ID, "s-verdicts").is_displayed()
            assert not any(address.rpartition(".")[0] in source for address in day.SOURCES)
            assert "example.org" not in source


def test_page_says_that_the_store_does_not_answer_and_goes_on_when_it_does(tmp_path: Path) -> None:
    words = words_of("en")
    port = free_port()
    with running_sink() as sink, a_redis("--port", str(port)) as redis:
        config, files = day.a_site(tmp_path, f"127.0.0.1:{sink.port}")
        config["store"] = f"redis://127.0.0.1:{port}/0"
        with running_gatepost(config, files) as daemon, a_browser() as browser:
            redis.hang()
            browser.get(f"http://127.0.0.1:{daemon.http_port}/?lang=en")
            wait_until(lambda: told(browser, "trouble") == words["store_away"])
            # What needs no store is there all the same.
            wait_until(lambda: told(browser, "checks") != "" and told(browser, "lists") != "")
            assert told(browser, "state") == words["takes_mail"]
            assert told(browser, "totals") == ""
            assert violations(browser) == []
            redis.go_on()

            wait_until(lambda: told(browser, "totals") != "", lambda: told(browser, "trouble"))
            assert told(browser, "trouble") == ""
