"""The page: whole in six languages, small, and careful with what others wrote."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path

import aiohttp
import pytest

from milter.http import page
from milter.http.health import Status
from milter.http.page import LANGUAGES, POLICY, preferred, render, words_of
from milter.http.rate import Rate
from milter.http.server import HttpServer, Views
from tests.support.passing import no_worker

FOLDER = Path(page.__file__).parent
SERVING = Status("1.2.3", "serving", 2, 2, "up", 5, 1000, 60)
OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.mark.parametrize("language", OTHERS)
def test_language_is_complete(language: str) -> None:
    english, words = words_of("en"), words_of(language)

    assert list(words) == list(english)
    assert all(words.values())
    for key, text in english.items():
        assert re.findall(r"\{\w+\}", words[key]) == re.findall(r"\{\w+\}", text)
    same = {key for key in english if words[key] == english[key]}
    assert same <= {"title", *(f"w_{window}" for window in ("5m", "24h"))}


def test_every_word_that_is_used_is_there_and_none_is_left_over() -> None:
    script, markup = (FOLDER / "page.js").read_text(), (FOLDER / "page.html").read_text()
    used = set(re.findall(r"words\.(\w+)", script)) | set(re.findall(r"\{\{(\w+)\}\}", markup))
    used |= {side for side in ("spent", "saved") if f'"{side}"' in script}
    used -= {"lang", "dir", "now", "version", "words", "windows", "languages"}

    words = {key for key in words_of("en") if not re.match(r"(a|k|m|w)_", key)}

    assert used == words


def test_page_is_under_200_kb_whichever_language() -> None:
    assets = sum(len((FOLDER / name).read_bytes()) for name in page._ASSETS)

    largest = max(len(render(SERVING, language).encode()) for language in LANGUAGES)

    assert assets + largest < 200_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_is_in_its_language_and_direction(language: str) -> None:
    text = render(SERVING, language)

    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in text
    assert words_of(language)["heading"] in text
    assert words_of(language)["takes_mail"] in text
    assert "{{" not in text


def test_page_quotes_what_it_is_told() -> None:
    text = render(Status("<script>", "draining", 0, 2, "down", 0, 0, 1), "en")

    assert "<script>" not in text.replace('<script type="application/json"', "")
    assert "&lt;script&gt;" in text
    assert "Does not take mail now" in text


def test_words_in_the_page_are_those_of_the_file() -> None:
    found = re.search(r'id="words">(.*?)</script>', render(SERVING, "ar"))

    assert found is not None
    assert json.loads(found[1]) == words_of("ar")


@pytest.mark.parametrize(
    ("said", "language"),
    [
        pytest.param("", "en", id="nothing"),
        pytest.param("de-DE,fr;q=0.8,en;q=0.5", "fr", id="first-that-we-have"),
        pytest.param("en;q=0.2, ar-EG;q=0.9", "ar", id="by-weight"),
        pytest.param("zh-Hant-TW", "zh", id="with-script-and-region"),
        pytest.param("es;q=0", "en", id="unwanted"),
        pytest.param("ru;q=nan,es;q=1", "es", id="odd-weight"),
        pytest.param("x" * 100_000 + ",es", "en", id="endless"),
    ],
)
def test_language_is_the_one_that_the_browser_prefers(said: str, language: str) -> None:
    assert preferred(said) == language


def test_page_asks_nobody_else_and_has_nothing_inline() -> None:
    for file in FOLDER.iterdir():
        if file.is_file() and file.suffix in {".html", ".css", ".js", ".svg"}:
            text = file.read_text().replace("http://www.w3.org/2000/svg", "")
            assert "//" not in re.sub(r"(?m)^\s*//.*$", "", text), file.name
            assert "style=" not in text, file.name
            assert not re.search(r"\son\w+=", text), file.name
            assert "setHTML" not in text
            assert not re.search(r"(inner|outer)HTML\s*=[^=]", text), file.name


@pytest.mark.parametrize("path", ["/", "/?lang=zh", "/page/page.js", "/page/page.css"])
def test_page_and_its_parts_bear_a_strict_policy(path: str) -> None:
    async def run() -> None:
        views = Views(lambda: SERVING, bytes, no_worker(), list, Rate(50, lambda: 0.0))
        server = HttpServer(views)
        listening = socket.create_server(("127.0.0.1", 0))
        await server.start(listening)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
                assert answer.status == 200
                assert answer.headers.getall("Content-Security-Policy") == [POLICY]
                assert answer.headers["X-Frame-Options"] == "DENY"
        finally:
            await server.close()

    asyncio.run(run())
    assert "unsafe" not in POLICY
