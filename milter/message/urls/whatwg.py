"""The URL parser of browsers (WHATWG URL Standard, section 4.4): what a click really opens.

Not RFC 3986: browsers repair backslashes, missing and superfluous slashes, line breaks and odd
hosts, and mail is written for what they open. The states of the standard are functions here that
take the rest of the input, each after the section that names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from milter.message.urls.hosts import parse_host, percent_encode

PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "file": None}
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):")
_EDGES: Final = "".join(map(chr, range(33)))
_LINE_BREAKS: Final = str.maketrans("", "", "\t\n\r")
_DRIVE: Final = re.compile(r"[A-Za-z][:|]")
_DRIVE_START: Final = re.compile(r"[A-Za-z][:|](?:[/\\?#]|\Z)")
_DOT: Final = frozenset((".", "%2e"))
_DOTS: Final = frozenset(("..", ".%2e", "%2e.", "%2e%2e"))
# WHATWG 1.3, percent-encode sets, by what is not in them: of a class that reaches to the end of
# Unicode the compiler makes a table of it.
_FRAGMENT_SET: Final = re.compile(r"[^!#-;=?-_a-~]")
_QUERY_SET: Final = re.compile(r"[^!$-;=?-~]")
_SPECIAL_QUERY_SET: Final = re.compile(r"[^!$-&(-;=?-~]")
_PATH_SET: Final = re.compile(r"[^!$-;=@-\]_a-z|~]")
_USERINFO_SET: Final = re.compile(r"[^!$-.0-9A-Z_a-z~]")
_CONTROL_SET: Final = re.compile(r"[^ -~]")


@dataclass(slots=True)
class WebUrl:
    """A parsed URL.

    Attributes:
        scheme: In lower case.
        username: Percent-encoded; empty when there is none.
        password: Likewise.
        host: Normalised; empty for a file of this machine, None where there is no host at all.
        port: None where there is none or it is the default one of the scheme.
        path: The segments; of an opaque path (`mailto:`) one text.
        opaque: Whether the path is opaque.
        query: None where there is none.
        fragment: None where there is none.
    """

    scheme: str
    username: str = ""
    password: str = ""
    host: str | None = None
    port: int | None = None
    path: list[str] = field(default_factory=list)
    opaque: bool = False
    query: str | None = None
    fragment: str | None = None

    @property
    def special(self) -> bool:
        """Whether the scheme is one that browsers know hosts and slashes of."""
        return self.scheme in PORTS

    @property
    def pathname(self) -> str:
        """The path as text."""
        return self.path[0] if self.opaque else "".join(f"/{segment}" for segment in self.path)

    @property
    def href(self) -> str:
        """The whole, as browsers write it."""
        text = f"{self.scheme}:"
        if self.host is not None:
            text += f"//{self._credentials()}{self.host}"
            text += "" if self.port is None else f":{self.port}"
        elif not self.opaque and len(self.path) > 1 and self.path[0] == "":
            text += "/."
        text += self.pathname
        text += "" if self.query is None else f"?{self.query}"
        return text + ("" if self.fragment is None else f"#{self.fragment}")

    def _credentials(self) -> str:
        if not self.username and not self.password:
            return ""
        return f"{self.username}{':' + self.password if self.password else ''}@"


def parse_url(text: str, base: WebUrl | None = None) -> WebUrl | None:
    """Return the URL that a browser would open for `text`; None where it would open none.

    Args:
        text: As written.
        base: What relative references are relative to.
    """
    text = text.strip(_EDGES).translate(_LINE_BREAKS)
    match = _SCHEME.match(text)
    if match is None:
        return _without_scheme(text, base)
    scheme, rest = match[1].lower(), text[match.end() :]
    url = WebUrl(scheme)
    if scheme == "file":
        return _file(url, rest, base if base and base.scheme == "file" else None)
    if url.special:
        if base and base.scheme == scheme and not rest.startswith("//"):
            return _relative(url, rest, base)
        return _authority(url, rest.lstrip("/\\"))
    if rest.startswith("//"):
        return _authority(url, rest[2:])
    if rest.startswith("/"):
        return _path(url, rest[1:])
    return _opaque(url, rest)


def _without_scheme(text: str, base: WebUrl | None) -> WebUrl | None:
    if base is None:
        return None
    url = WebUrl(base.scheme)
    if base.opaque:
        if not text.startswith("#"):
            return None
        url.path, url.opaque, url.query = list(base.path), True, base.query
        return _tail(url, text)
    if base.scheme == "file":
        return _file(url, text, base)
    return _relative(url, text, base)


def _relative(url: WebUrl, text: str, base: WebUrl) -> WebUrl | None:
    slashes = "/\\" if url.special else "/"
    if text[:1] and text[0] in slashes:
        if url.special and text[1:2] and text[1] in slashes:
            return _authority(url, text.lstrip("/\\"))
        if text[1:2] == "/":
            return _authority(url, text[2:])
        _take_authority(url, base)
        return _path(url, text[1:])
    _take_authority(url, base)
    url.path, url.query = list(base.path), base.query
    if not text or text[0] in "?#":
        return _tail(url, text)
    url.query = None
    _shorten(url)
    return _path(url, text)


def _take_authority(url: WebUrl, base: WebUrl) -> None:
    url.username, url.password, url.host, url.port = (
        *(base.username, base.password),
        *(base.host, base.port),
    )


def _authority(url: WebUrl, text: str) -> WebUrl | None:
    end = _first(text, "/?#\\" if url.special else "/?#")
    userinfo, at, host = text[:end].rpartition("@")
    if at:
        if not host:
            return None
        name, _, password = userinfo.partition(":")
        url.username = percent_encode(name, _USERINFO_SET)
        url.password = percent_encode(password, _USERINFO_SET)
    if not _host_and_port(url, host):
        return None
    return _path_start(url, text[end:])


def _host_and_port(url: WebUrl, text: str) -> bool:
    bracket = text.rfind("]") if "[" in text else -1
    colon = text.find(":", bracket + 1)
    host = text if colon < 0 else text[:colon]
    if not host and (url.special or colon >= 0):
        return False
    url.host = parse_host(host, special=url.special) if host else ""
    return url.host is not None and (colon < 0 or _port(url, text[colon + 1 :]))


def _port(url: WebUrl, digits: str) -> bool:
    if not digits:
        return True
    if not digits.isascii() or not digits.isdigit():
        return False
    number = digits.lstrip("0") or "0"
    if len(number) > 5 or int(number) > 65_535:
        return False
    url.port = None if PORTS.get(url.scheme) == int(number) else int(number)
    return True


def _path_start(url: WebUrl, text: str) -> WebUrl:
    if url.special:
        return _path(url, text[1:] if text[:1] in ("/", "\\") else text)
    if not text or text[0] in "?#":
        return _tail(url, text)
    return _path(url, text[1:] if text[0] == "/" else text)


def _path(url: WebUrl, text: str) -> WebUrl:
    """Read the path that stands behind its first slash."""
    end = _first(text, "?#")
    path = text[:end].replace("\\", "/") if url.special else text[:end]
    segments = path.split("/")
    last = len(segments) - 1
    for place, segment in enumerate(segments):
        lowered = segment.lower()
        if lowered in _DOTS:
            _shorten(url)
        if lowered in _DOTS or lowered in _DOT:
            if place == last:
                url.path.append("")
            continue
        if url.scheme == "file" and not url.path and _DRIVE.fullmatch(segment):
            url.path.append(f"{segment[0]}:")
        else:
            url.path.append(percent_encode(segment, _PATH_SET))
    return _tail(url, text[end:])


def _opaque(url: WebUrl, text: str) -> WebUrl:
    end = _first(text, "?#")
    path = percent_encode(text[:end], _CONTROL_SET)
    if end < len(text) and path.endswith(" "):
        path = path[:-1] + "%20"
    url.path, url.opaque = [path], True
    return _tail(url, text[end:])


def _tail(url: WebUrl, text: str) -> WebUrl:
    """Read query and fragment, where they are there."""
    before, hash_sign, fragment = text.partition("#")
    if before.startswith("?"):
        query_set = _SPECIAL_QUERY_SET if url.special else _QUERY_SET
        url.query = percent_encode(before[1:], query_set)
    if hash_sign:
        url.fragment = percent_encode(fragment, _FRAGMENT_SET)
    return url


def _file(url: WebUrl, text: str, base: WebUrl | None) -> WebUrl | None:
    url.host = ""
    if text[:1] in ("/", "\\"):
        return _file_slash(url, text[1:], base)
    if base is None:
        return _path(url, text)
    url.host, url.path, url.query = base.host, list(base.path), base.query
    if not text or text[0] in "?#":
        return _tail(url, text)
    url.query = None
    if _DRIVE_START.match(text):
        url.path = []
    else:
        _shorten(url)
    return _path(url, text)


def _file_slash(url: WebUrl, text: str, base: WebUrl | None) -> WebUrl | None:
    if text[:1] not in ("/", "\\"):
        if base is not None:
            url.host = base.host
            if not _DRIVE_START.match(text) and base.path and _is_drive(base.path[0]):
                url.path.append(base.path[0])
        return _path(url, text)
    text = text[1:]
    end = _first(text, "/\\?#")
    name = text[:end]
    if _DRIVE.fullmatch(name):
        return _path(url, text)
    if name:
        host = parse_host(name, special=True)
        if host is None:
            return None
        url.host = "" if host == "localhost" else host
    return _path_start(url, text[end:])


def _shorten(url: WebUrl) -> None:
    if url.scheme == "file" and len(url.path) == 1 and _is_drive(url.path[0]):
        return
    if url.path:
        url.path.pop()


def _is_drive(segment: str) -> bool:
    return len(segment) == 2 and segment[0].isascii() and segment[0].isalpha() and segment[1] == ":"


def _first(text: str, signs: str) -> int:
    """Return where the first of `signs` stands in `text`; its length when none does."""
    places = [place for sign in signs if (place := text.find(sign)) >= 0]
    return min(places, default=len(text))
