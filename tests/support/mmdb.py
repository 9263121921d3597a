"""Small tables in the format of MaxMind DB (version 2.0), for tests."""

from __future__ import annotations

import struct
from ipaddress import ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Value = str | int | dict[str, "Value"] | list["Value"]

_MARKER = b"\xab\xcd\xefMaxMind.com"


def write_table(path: Path, records: Mapping[str, Mapping[str, Value]]) -> Path:
    """Write a table of `records` by IPv4 or IPv6 network, and return its path."""
    tree: list[list[int | None]] = [[None, None]]
    data, offsets = b"", []
    for network, record in records.items():
        offsets.append(len(data))
        data += _encoded(dict(record))
        _insert(tree, network, -len(offsets))
    nodes = b"".join(_node(pair, len(tree), offsets) for pair in tree)
    path.write_bytes(nodes + bytes(16) + data + _MARKER + _metadata(len(tree)))
    return path


def _insert(tree: list[list[int | None]], network: str, leaf: int) -> None:
    """Put a leaf, a number below 0, at the end of the bits of `network`."""
    net = ip_network(network)
    # IPv4 lives below ::/96.
    length = net.prefixlen + (96 if net.version == 4 else 0)
    bits = int(net.network_address) >> (128 - length)
    node = 0
    for place in range(length - 1, -1, -1):
        bit = bits >> place & 1
        if place == 0:
            tree[node][bit] = leaf
            return
        below = tree[node][bit]
        if below is None:
            tree.append([None, None])
            below = tree[node][bit] = len(tree) - 1
        node = below


def _node(pair: list[int | None], count: int, offsets: list[int]) -> bytes:
    ends = (
        count if end is None else end if end >= 0 else count + 16 + offsets[-end - 1]
        for end in pair
    )
    return struct.pack(">II", *ends)


def _metadata(nodes: int) -> bytes:
    # Readers look at the width of each number: 5 is uint16, 6 uint32, 9 uint64.
    numbers = {
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, 1_700_000_000),
        "ip_version": (5, 6),
        "node_count": (6, nodes),
        "record_size": (5, 32),
    }
    others: dict[str, Value] = {
        "database_type": "Test",
        "description": {"en": "a test"},
        "languages": ["en"],
    }
    body = b"".join(_encoded(key) + _encoded(value) for key, value in others.items())
    for key, (kind, number) in numbers.items():
        body += _encoded(key) + _number(kind, number)
    return _control(7, len(numbers) + len(others)) + body


def _number(kind: int, number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return _control(kind, size) + number.to_bytes(size)


def _encoded(value: Value) -> bytes:
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    if isinstance(value, int):
        return _number(6 if value < 2**32 else 9, value)
    if isinstance(value, dict):
        body = b"".join(_encoded(key) + _encoded(each) for key, each in value.items())
        return _control(7, len(value)) + body
    return _control(11, len(value)) + b"".join(map(_encoded, value))


def _control(kind: int, size: int) -> bytes:
    low, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind <= 7:
        return bytes([kind << 5 | low]) + more
    # An extended type stands in a byte of its own.
    return bytes([low, kind - 7]) + more
