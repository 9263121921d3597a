"""One web address: what it leads to, and what is odd about how it is written."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from milter.message.decode import decode_base64
from milter.message.urls.domains import registrable_domain
from milter.message.urls.services import is_redirector, is_shortener
from milter.message.urls.whatwg import WebUrl, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.message.urls.find import Found


class Source(StrEnum):
    """Where an address stood."""

    TEXT = "text"
    LINK = "link"
    FORM = "form"
    IMAGE = "image"
    FRAME = "frame"
    REFRESH = "refresh"
    STYLE = "style"
    NESTED = "nested"
    HEADER = "header"
    FILE = "file"
    CODE = "code"
    SCRIPT = "script"


class Trait(StrEnum):
    """What is odd about an address, or worth to know."""

    IP = "ip"
    ODD_IP = "odd_ip"
    USERINFO = "userinfo"
    PORT = "port"
    IDN = "idn"
    ENCODED_HOST = "encoded_host"
    ODD_SLASHES = "odd_slashes"
    SCHEMELESS = "schemeless"
    MENDED = "mended"
    WRAPPED = "wrapped"
    SHORTENER = "shortener"
    REDIRECTOR = "redirector"
    HIDDEN = "hidden"


# What nine of ten addresses look like: nothing in them that a browser would write otherwise. The
# last label begins with a letter, for what ends in a number (`0x0d` is one) is an IPv4 address.
_PLAIN: Final = re.compile(
    r"(https?)://((?:[a-z0-9][a-z0-9-]*\.)*[a-z](?:[a-z0-9-]*[a-z])?)"
    r"(/(?:[A-Za-z0-9_~!$&()*+,;=:@-]++|\.(?![./?#]|\Z)|/(?!\.)|%(?!2[eE]))*+|)"
    r"((?:\?[A-Za-z0-9._~!$&()*+,;=:@/?%-]*)?(?:#[A-Za-z0-9._~!$&()*+,;=:@/?%-]*)?)"
)
_SLASHES: Final = re.compile(r"[A-Za-z]+:/{2}[^/\\]")
_AUTHORITY: Final = re.compile(r"[A-Za-z]+:[/\\]*([^/\\?#]*)")
_DOTTED: Final = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?")
_NESTED: Final = re.compile(
    r"https?(?::|%(?:25)*3a)(?:/|%(?:25)*2f){2}[^\s<>\"'&#]+", re.IGNORECASE
)
# `https://` and `http://` in base64, in either of its two alphabets.
_NESTED_BASE64: Final = re.compile(r"aHR0c(?:HM6Ly|DovL)[A-Za-z0-9+/_-]{2,2000}")
_URLDEFENSE: Final = re.compile(r"__(?=https?:/)", re.IGNORECASE)
_DEFENDED_END: Final = "__;"
_AMP: Final = re.compile(r"/amp/(?:s/)?([a-z0-9.-]+\.[a-z]{2,}[^\s]*)")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_MAX_NESTED: Final = 4
_MAX_LENGTH: Final = 4_096
WEB: Final = frozenset(("http", "https", "ftp"))


class Url(NamedTuple):
    """An address as it would be opened. A tuple and no dataclass: every message has some.

    Attributes:
        href: Normalised as browsers do.
        scheme: In lower case.
        host: Lower case, A-labels; addresses dotted or in brackets; empty for `data:`, `mailto:`.
        domain: The registrable domain of the host; empty where it has none.
        source: Where it stood.
        text: What a person sees of the link; empty where it is the address itself, or nothing.
        traits: What is odd about it.
        written: As it stood there, where that is not `href`; cut.
    """

    href: str
    scheme: str
    host: str
    domain: str
    source: Source = Source.TEXT
    text: str = ""
    traits: frozenset[Trait] = frozenset()
    written: str = ""

    @property
    def is_web(self) -> bool:
        """Whether it leads to a host."""
        return self.scheme in WEB


_NO_TRAITS: Final[frozenset[Trait]] = frozenset()


def read_link(
    written: str,
    source: Source,
    text: str = "",
    *,
    base: WebUrl | None = None,
    extra: frozenset[Trait] = _NO_TRAITS,
) -> Url | None:
    """Return the address `written`; None where nothing would be opened.

    Args:
        written: With its scheme, or relative to `base`.
        source: Where it stood.
        text: What a person sees of the link.
        base: Of the HTML document, where it names one.
        extra: Traits that are known already.
    """
    if len(written) > _MAX_LENGTH and written[:5].lower() != "data:":
        written = written[:_MAX_LENGTH]
    if plain := _PLAIN.fullmatch(written):
        host, path = plain[2], plain[3]
        if "xn--" not in host and (path or not plain[4]):
            href = plain[0] if path else f"{plain[0]}/"
            domain = registrable_domain(host)
            traits = _with_service(extra, host, domain, path)
            return Url(href, plain[1], host, domain, source, text, traits)
    if written[:5].lower() == "data:":
        return Url(written[:_MAX_LENGTH], "data", "", "", source, text, extra)
    url = parse_url(written, base)
    if url is None:
        return None
    href, host = url.href, url.host or ""
    domain = registrable_domain(host) if host else ""
    traits = _with_service(extra | _traits(written, url), host, domain, url.pathname)
    shown = "" if written == href else written
    return Url(href, url.scheme, host, domain, source, text, traits, shown)


def read_found(found: Found) -> Url | None:
    """Return the address that was found in running text; None where nothing would be opened."""
    extra = set()
    if found.schemeless:
        extra.add(Trait.SCHEMELESS)
    if found.mended:
        extra.add(Trait.MENDED)
    if found.wrapped:
        extra.add(Trait.WRAPPED)
    written = f"http://{found.written}" if found.schemeless else found.written
    return read_link(written, Source.TEXT, extra=frozenset(extra) if extra else _NO_TRAITS)


def nested_links(url: Url) -> Iterator[Url]:
    """Yield the addresses that stand inside `url`, as redirectors carry them; a few at most.

    So do schemes of programs: `microsoft-edge:https://a.example/`.
    """
    rest = url.href[8:] if url.is_web else url.href
    if "http" not in rest.lower() and "/amp/" not in rest and "aHR0c" not in rest:
        return
    count = 0
    for written in _inner(rest):
        link = read_link(written, Source.NESTED, url.text)
        if link is not None and link.host:
            yield link
            count += 1
        if count >= _MAX_NESTED:
            return


def _inner(rest: str) -> Iterator[str]:
    if defended := _defended(rest):
        yield defended.replace(":/", "://", 1) if "://" not in defended else defended
        return
    if amp := _AMP.search(rest):
        yield f"https://{amp[1]}"
    for match in _NESTED.finditer(rest):
        written = match[0]
        # Encoded once for each address around it.
        for _ in range(4):
            if "://" in written[:9]:
                break
            written = unquote(written)
        yield written
    for match in _NESTED_BASE64.finditer(rest):
        yield decode_base64(match[0].translate(_URL_SAFE).encode("ascii")).decode(
            "utf-8", "replace"
        )


def _defended(rest: str) -> str:
    """Return what `rest` holds as urldefense.com writes it; empty where it does not."""
    begin = _URLDEFENSE.search(rest)
    # Where the first one does not end, none does: each of many would be followed to the end.
    end = rest.find(_DEFENDED_END, begin.end()) if begin else -1
    return rest[begin.end() : end] if begin and end >= 0 else ""


def _with_service(traits: frozenset[Trait], host: str, domain: str, path: str) -> frozenset[Trait]:
    """Return `traits` and what is known of a host that only leads elsewhere."""
    if is_shortener(host, domain):
        return traits | {Trait.SHORTENER}
    return traits | {Trait.REDIRECTOR} if is_redirector(host, path) else traits


def _traits(written: str, url: WebUrl) -> frozenset[Trait]:
    traits: set[Trait] = set()
    host = url.host or ""
    if not host:
        return _NO_TRAITS
    match = _AUTHORITY.match(written)
    authority = match[1] if match else ""
    if host[0] == "[" or _DOTTED.fullmatch(host):
        traits.add(Trait.IP)
        if host[0] != "[" and not _DOTTED.fullmatch(authority.rpartition("@")[2]):
            traits.add(Trait.ODD_IP)
    if url.username or url.password:
        traits.add(Trait.USERINFO)
    if url.port is not None:
        traits.add(Trait.PORT)
    if "xn--" in host:
        traits.add(Trait.IDN)
    if "%" in authority.rpartition("@")[2] or (not authority.isascii() and "xn--" not in host):
        traits.add(Trait.ENCODED_HOST)
    if url.special and match and not _SLASHES.match(written):
        traits.add(Trait.ODD_SLASHES)
    return frozenset(traits)
