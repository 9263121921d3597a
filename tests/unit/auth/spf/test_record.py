from __future__ import annotations

import tracemalloc

from milter.auth.spf.record import parse_record


def test_usual_record_is_read_once() -> None:
    text = b"v=spf1 " + b"ip4:192.0.2.0/24 " * 30 + b"-all"
    assert parse_record(text) is parse_record(text)


def test_long_records_take_no_memory_when_they_are_read() -> None:
    tracemalloc.start()
    try:
        for number in range(20):
            parse_record(b"v=spf1 x%d=1 " % number + b"a " * 2_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One of them would take 250 KB.
    assert kept < 1_000_000
