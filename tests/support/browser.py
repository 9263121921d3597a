"""A real browser, and the page in it as a person reads it.

Chromium and its driver come from Debian (`.ci/packages`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.support.debian import find_program
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

    from tests.support.gatepost import Gatepost

NARROW, WIDE = 360, 1600


@contextmanager
def a_browser(width: int = WIDE, *, dark: bool = False) -> Iterator[WebDriver]:
    """Give a browser as wide as said, or skip where there is none."""
    chromium, driver = find_program("chromium"), find_program("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not here: .ci/packages installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium.path)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(str(driver.path)))
    try:
        # A window of headless Chromium is never narrower than 500 pixels; this is what phones are.
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        yield browser
    finally:
        browser.quit()


def opened(browser: WebDriver, daemon: Gatepost, query: str = "?lang=en") -> None:
    """Open the page, and wait until it shows figures."""
    browser.get(f"http://127.0.0.1:{daemon.http_port}/{query}")
    wait_until(
        lambda: bool(browser.find_elements(By.CSS_SELECTOR, "#totals dd")),
        lambda: f"{told(browser, 'trouble')} {errors(browser)}",
    )


def told(browser: WebDriver, name: str) -> str:
    """Return the text of an element as a person reads it."""
    return text_of(browser, f"#{name}")


def text_of(browser: WebDriver, selector: str) -> str:
    """Return the text of what a selector finds first; empty where nothing is."""
    # In one step: the page renews itself, and what was found may be gone when it is read.
    words = "return (document.querySelector(arguments[0]) || {innerText: ''}).innerText"
    return str(browser.execute_script(words, selector))


def errors(browser: WebDriver) -> list[Any]:
    """Return what the console complained of."""
    log: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [one for one in log if one["level"] in {"SEVERE", "WARNING"}]


def rows(browser: WebDriver, name: str) -> list[list[str]]:
    """Return the cells of the table in an element, row by row, without its head."""
    read = (
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    found: list[list[str]] = browser.execute_script(read, name)
    return found
