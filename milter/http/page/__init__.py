"""The page at `/`: what came in, what was done with it, and how the daemon is; for people.

Plain files, served as they are: nothing is built, and a browser asks nobody but us. The words are
put in here, in the language that the browser prefers; all else is `page.js`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.http.endpoint import TEXT, Access, Answer, Endpoint, Parameter
from milter.http.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from milter.http.health import Status

# Those of the United Nations, by what they call themselves.
LANGUAGES: Final = {
    "en": "English",
    "ar": "العربية",
    "zh": "中文",
    "fr": "Français",
    "ru": "Русский",
    "es": "Español",
}
_WINDOWS: Final = ("5m", "1h", "24h", "7d", "30d", "90d")
_FOLDER: Final = Path(__file__).parent
_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")
_PREFERENCE: Final = re.compile(
    r"([a-zA-Z]{2,3})(?:-[a-zA-Z0-9-]+)?(?:;q=([01](?:\.[0-9]{1,3})?))?"
)
# What a browser says is short; of what is not, the beginning counts.
_MOST_SAID: Final = 500
# Scripts, styles, pictures and questions of our own, and nothing else.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_ASSETS: Final = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "map.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
PAGE: Final = Endpoint(
    "GET",
    "/",
    Access.OPEN,
    "What came in, what was done with it and how the daemon is, for people.",
    {200: Answer("A page", TEXT, "text/html")},
    (Parameter("lang", "query", "Language", {**TEXT, "enum": list(LANGUAGES)}),),
)
ASSETS: Final = tuple(
    Endpoint(
        "GET",
        f"/page/{name}",
        Access.OPEN,
        f"A part of the page: {name}.",
        {200: Answer("The file", TEXT, media_type)},
    )
    for name, media_type in _ASSETS.items()
)


def page_routes(status: Callable[[], Status]) -> list[Route]:
    """Return the routes of the page and of its parts."""

    async def handle(request: web.Request) -> web.Response:
        said = request.query.get("lang", "")
        if said not in LANGUAGES:
            said = preferred(request.headers.get("Accept-Language", ""))
        return _answer(render(status(), said).encode(), "text/html")

    return [Route(PAGE, handle), *(_asset(endpoint) for endpoint in ASSETS)]


def render(now: Status, language: str) -> str:
    """Return the page as HTML, in one of `LANGUAGES`."""
    words = words_of(language)
    places = {
        **words,
        "lang": language,
        "dir": "rtl" if language == "ar" else "ltr",
        "now": " · ".join(_state(now, words)),
        "version": now.version,
    }
    markup = {
        # A `<` could end the element that the words stand in.
        "words": json.dumps(words, ensure_ascii=False).replace("<", "\\u003c"),
        "windows": "".join(
            f'<button type="button" value="{one}">{escape(words[f"w_{one}"])}</button>'
            for one in _WINDOWS
        ),
        "languages": "".join(
            f'<option value="{code}" lang="{code}"{_selected(code, language)}>{name}</option>'
            for code, name in LANGUAGES.items()
        ),
    }
    return _PLACE.sub(
        lambda found: markup[found[1]] if found[1] in markup else escape(places[found[1]]),
        _read("page.html"),
    )


def _state(now: Status, words: Mapping[str, str]) -> Iterator[str]:
    yield words["takes_mail" if now.ready else "no_mail"]
    if now.workers_silent:
        yield words["silent"].replace("{pids}", ", ".join(map(str, now.workers_silent)))


def preferred(said: str) -> str:
    """Return which of `LANGUAGES` an Accept-Language field wants most (RFC 9110 §12.5.4)."""
    wanted: list[tuple[float, int, str]] = []
    for one in said[:_MOST_SAID].split(","):
        found = _PREFERENCE.fullmatch(one.replace(" ", ""))
        if found and found[1].lower() in LANGUAGES and float(found[2] or 1) > 0:
            wanted.append((-float(found[2] or 1), len(wanted), found[1].lower()))
    return min(wanted)[2] if wanted else "en"


@cache
def words_of(language: str) -> Mapping[str, str]:
    """Return the words of one of `LANGUAGES`."""
    words: dict[str, str] = json.loads(_read(f"words/{language}.json"))
    return words


def _selected(code: str, language: str) -> str:
    return " selected" if code == language else ""


def _asset(endpoint: Endpoint) -> Route:
    name = endpoint.path.rpartition("/")[2]

    async def handle(_request: web.Request) -> web.Response:
        return _answer(_read(name).encode(), _ASSETS[name])

    return Route(endpoint, handle)


def _answer(body: bytes, media_type: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=media_type,
        charset="utf-8",
        headers={"Content-Security-Policy": POLICY},
    )


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")
