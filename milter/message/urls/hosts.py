"""Hosts of web addresses (WHATWG URL Standard, section 3).

A host that looks harmless may be an IPv4 address in octal, a name in full-width letters, or
percent-encoded: what comes out of here is the host that is really connected to.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote_to_bytes

from policies.domains import domain_to_ascii

# WHATWG 3.1: forbidden host and domain code points.
_FORBIDDEN_HOST: Final = re.compile(r"[\x00\t\n\r #/:<>?@\[\\\]^|]")
_FORBIDDEN_DOMAIN: Final = re.compile(r"[\x00-\x20#%/:<>?@\[\\\]^|\x7F]")
_PLAIN: Final = re.compile(r"[a-z0-9._-]+")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_CONTROL: Final = re.compile(r"[^ -~]")
# Longer ones cannot be looked up (RFC 1035 §2.3.4), and Unicode work on them is not cheap.
_MAX_HOST: Final = 1_000
_MAX_IPV4: Final = 0xFFFFFFFF


def parse_host(text: str, *, special: bool) -> str | None:
    """Return the host that `text` names, normalised; None when a browser would refuse it.

    Domains come as lower-case A-labels, IPv4 in dotted form, IPv6 in brackets.
    """
    if text.startswith("["):
        return _ipv6(text[1:-1]) if text.endswith("]") else None
    if not special:
        if _FORBIDDEN_HOST.search(text):
            return None
        return percent_encode(text, _CONTROL)
    if len(text) > _MAX_HOST:
        return None
    return _domain(text)


def percent_encode(text: str, encoded: re.Pattern[str]) -> str:
    """Return `text` with the characters that `encoded` matches percent-encoded as UTF-8."""
    if not encoded.search(text):
        return text
    return encoded.sub(_percent, text)


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace"))


@lru_cache(maxsize=4096)
def _domain(text: str) -> str | None:
    if "%" in text:
        text = unquote_to_bytes(text).decode("utf-8", "replace")
    name = text.lower()
    if not _PLAIN.fullmatch(name) or "xn--" in name:
        ascii_name = domain_to_ascii(text)
        if not ascii_name or _FORBIDDEN_DOMAIN.search(ascii_name):
            return None
        name = ascii_name
    return _ipv4(name) if _ends_in_number(name) else name


def _ends_in_number(name: str) -> bool:
    parts = name.split(".")
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()
    last = parts[-1]
    return last.isdigit() or (last[:2] == "0x" and _NUMBER.fullmatch(last) is not None)


def _ipv4(name: str) -> str | None:
    """Return the dotted form of an IPv4 address in any base and number of parts."""
    parts = name.split(".")
    if parts[-1] == "" and len(parts) > 1:
        parts.pop()
    if len(parts) > 4:
        return None
    numbers = []
    for part in parts:
        number = _number(part)
        if number is None:
            return None
        numbers.append(number)
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        return None
    value = numbers[-1]
    for place, number in enumerate(numbers[:-1]):
        value += number << (8 * (3 - place))
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _number(part: str) -> int | None:
    if not _NUMBER.fullmatch(part) or len(part) > 64:
        return None
    try:
        if part[:2] in ("0x", "0X"):
            return int(part[2:] or "0", 16)
        return int(part, 8) if len(part) > 1 and part[0] == "0" else int(part)
    except ValueError:
        return None


def _ipv6(text: str) -> str | None:
    # WHATWG has no scope identifiers, and no leading zeroes beyond four digits.
    if "%" in text:
        return None
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    return f"[{_compressed(address)}]"


def _compressed(address: IPv6Address) -> str:
    """Return the form of RFC 5952 §4.2; never the mixed one, as browsers write it."""
    pieces = [int.from_bytes(address.packed[i : i + 2], "big") for i in range(0, 16, 2)]
    start, length = _longest_zeroes(pieces)
    words = [f"{piece:x}" for piece in pieces]
    if length < 2:
        return ":".join(words)
    return f"{':'.join(words[:start])}::{':'.join(words[start + length :])}"


def _longest_zeroes(pieces: list[int]) -> tuple[int, int]:
    best, run = (0, 0), 0
    for place, piece in enumerate([*pieces, 1]):
        if piece:
            if run > best[1]:
                best = (place - run, run)
            run = 0
        else:
            run += 1
    return best
