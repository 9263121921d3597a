from __future__ import annotations

import ast
import json
import logging
import os
import re
import resource
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from milter.telemetry import writer
from milter.telemetry.log import (
    FIELDS,
    MAX_LINE,
    Event,
    LineFormatter,
    address_hasher,
    log_event,
)
from milter.telemetry.writer import LineQueue, Logging

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KEY = b"k" * 16
_ROOT = Path(__file__).resolve().parents[3]


def _record(fields: Mapping[str, object], event: str = "transaction") -> logging.LogRecord:
    base = {"name": "gatepost.smtp", "levelname": "INFO", "msg": event, "created": 1_800_000_000.5}
    return logging.makeLogRecord({**base, **fields})


def _json(**fields: object) -> dict[str, object]:
    line = LineFormatter("json").format(_record(fields))
    loaded = json.loads(line)
    assert isinstance(loaded, dict)
    return loaded


def test_json_line_has_time_level_event_and_the_fields() -> None:
    assert _json(txn_id="7Q2M", score=12.5, symbols=("A", "B"), temporary=False) == {
        "time": "2027-01-15T08:00:00.500Z",
        "level": "info",
        "event": "transaction",
        "logger": "gatepost.smtp",
        "txn_id": "7Q2M",
        "score": 12.5,
        "symbols": ["A", "B"],
        "temporary": False,
    }


def test_json_line_leaves_out_what_is_no_field() -> None:
    assert "subject" not in _json(subject="secret", txn_id="7Q2M")


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param('x\n{"event":"forged"}', id="a-line-of-the-peers-own"),
        pytest.param("x\r\x1b[31m\x00", id="terminal-controls"),
        pytest.param("x\u2028y\x85z", id="unicode-line-ends"),
        pytest.param("\udcff", id="lone-surrogate"),
    ],
)
def test_line_with_the_peers_controls_is_one_line_of_printable_ascii(
    form: Literal["json", "text"], sent: str
) -> None:
    line = LineFormatter(form).format(_record({"helo_name": sent}))
    assert re.fullmatch(r"[ -~]+", line)


def test_text_line_quotes_only_what_needs_it() -> None:
    line = LineFormatter("text").format(
        _record({"action": "tag", "reply": "550 5.7.1 no", "error": "a=b"})
    )
    assert line == (
        "2027-01-15T08:00:00.500Z info transaction logger=gatepost.smtp action=tag "
        'reply="550 5.7.1 no" error="a=b"'
    )


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"recipients": [f"r{i}@example.org" for i in range(5000)]}, id="recipients"),
        pytest.param({"helo_name": "\u20ac" * 9000, "error": "\x00" * 9000}, id="escapes"),
        pytest.param(dict.fromkeys(FIELDS, "\x00" * 2000), id="every-field"),
    ],
)
def test_line_of_any_fields_fits_into_one_write(
    form: Literal["json", "text"], fields: dict[str, object]
) -> None:
    line = LineFormatter(form).format(_record(fields))
    assert len(line) < MAX_LINE
    assert "transaction" in line


def test_line_with_an_exception_has_the_end_of_its_traceback() -> None:
    error = ValueError("x" * 5000 + "the end")
    line = LineFormatter("json").format(_record({"exc_info": (type(error), error, None)}))
    assert len(line) < MAX_LINE
    assert json.loads(line)["traceback"].endswith("the end")


def test_hashed_line_holds_no_address_in_any_field() -> None:
    line = LineFormatter("json", address_hasher(_KEY)).format(
        _record(
            {
                "mail_from": "alice@example.org",
                "recipients": ["bob@example.net", "<carol@example.net>"],
                "account": "alice",
                "reply": "550 5.1.1 <bob@example.net>: unknown",
                "message_id": "<1@example.org>",
            }
        )
    )
    values = json.loads(line)
    assert values["message_id"] == "<1@example.org>"
    del values["message_id"]
    shown = json.dumps(values)
    assert not re.search(r"alice|bob|carol|@", shown)
    assert "unknown" in values["reply"]


def test_address_hasher_is_stable_under_case_and_differs_by_key() -> None:
    first, second = address_hasher(_KEY), address_hasher(b"j" * 16)
    assert first("A@Example.org") == first("a@example.org")
    assert first("a@example.org") != second("a@example.org")


def _extra_keys(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
                for key in keyword.value.keys:
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value


def test_event_becomes_the_line_that_a_record_would_become() -> None:
    event = Event("gatepost.smtp", "transaction", {"txn_id": "7Q2M", "subject": "never"})
    event.created = 1_800_000_000.5
    assert json.loads(LineFormatter("json").format(event)) == _json(txn_id="7Q2M")


def test_event_is_not_made_below_the_level(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("gatepost.test")
    with caplog.at_level(logging.WARNING, "gatepost.test"):
        log_event(logger, "transaction", {})
    assert caplog.records == []


def test_event_can_be_shown_by_a_handler_of_others(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gatepost.test"):
        log_event(logging.getLogger("gatepost.test"), "transaction", {"pid": 1})
    assert "transaction" in caplog.text


def test_events_of_a_slow_reader_wait_as_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MAX_UNMADE", 1)
    made: list[object] = []

    def make(record: logging.LogRecord) -> str:
        made.append(record.msg)
        return str(record.msg)

    queue = LineQueue(make, str)
    for name in ("first", "second"):
        queue.put(Event("gatepost.smtp", name, {}))
    assert made == ["second"]
    assert queue.get() == ["first", "second"]


def test_every_field_that_the_code_logs_is_declared() -> None:
    undeclared = {
        f"{path.relative_to(_ROOT)}: {key}"
        for path in (_ROOT / "milter").rglob("*.py")
        for key in _extra_keys(ast.parse(path.read_text("utf-8")))
        if key not in FIELDS
    }
    assert not undeclared


def test_logging_writes_each_line_and_flushes_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "log"
    with target.open("wb") as stream:
        log = Logging("json", "info", fd=stream.fileno())
        for number in range(500):
            logging.getLogger("gatepost.test").info("connection", extra={"pid": number})
        logging.getLogger("gatepost.test").debug("unseen")
        log.close()
    lines = target.read_text("ascii").splitlines()
    assert [json.loads(line)["pid"] for line in lines] == list(range(500))


def test_logging_to_a_closed_reader_does_not_raise() -> None:
    reader, target = os.pipe()
    os.close(reader)
    log = Logging("json", "info", fd=target)
    logging.getLogger("gatepost.test").info("connection")
    log.close()
    os.close(target)


def test_line_queue_woken_for_nothing_waits_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_GATHER_S", 0)
    queue = LineQueue(logging.LogRecord.getMessage, str)
    taken: list[list[str]] = []
    reading = threading.Thread(target=lambda: taken.append(queue.get()))
    # What `put` does when its line was taken before it could say so.
    queue._filled.set()
    reading.start()
    reading.join(0.1)
    assert taken == []
    queue.put(_record({}, "line"))
    reading.join(30)
    assert taken == [["line"]]


def test_line_queue_that_nobody_reads_drops_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 2)
    queue = LineQueue(logging.LogRecord.getMessage, lambda count: f"{count} dropped")
    for event in ("first", "second", "third", "fourth"):
        queue.put(_record({}, event))
    assert queue.get() == ["first", "second", "2 dropped"]
    queue.close()
    assert queue.get() == []


def test_line_queue_tells_of_lines_that_were_lost_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "_GATHER_S", 0)
    queue = LineQueue(logging.LogRecord.getMessage, lambda count: f"{count} dropped")
    queue.put(_record({}, "first"))
    assert queue.get() == ["first"]
    queue.lose(1, last=True)
    queue.put(_record({}, "second"))
    assert queue.get() == ["second", "1 dropped"]
    # The line about the first one is lost as well, and so nobody knows of that one yet.
    queue.lose(2, last=True)
    queue.put(_record({}, "third"))
    assert queue.get() == ["third", "2 dropped"]
    queue.lose(1, last=True)
    queue.close()
    assert queue.get() == []


def test_output_to_a_full_disk_tells_what_was_lost_and_mends_half_a_line(tmp_path: Path) -> None:
    target = tmp_path / "log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with target.open("wb") as stream:
        output = writer._Output(stream.fileno())
        # A limit for the size of files stands for the disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (15, before[1]))
        try:
            assert output.write(b"the first\nthe second\nthe third\n") == 2
            assert output.write(b"the fourth\n") == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert output.write(b"the fifth\n") == 0
        assert output.write(b"the sixth\n") == 0
    assert target.read_bytes() == b"the first\nthe s\nthe fifth\nthe sixth\n"


def test_output_waits_for_a_pipe_that_does_not_wait_itself() -> None:
    reader, target = os.pipe()
    os.set_blocking(target, False)
    block = b"x" * (MAX_LINE - 1) + b"\n"
    lost: list[int] = []

    def write() -> None:
        output = writer._Output(target)
        lost.extend(output.write(block) for _ in range(100))
        os.close(target)

    writing = threading.Thread(target=write)
    writing.start()
    with os.fdopen(reader, "rb") as stream:
        assert stream.read() == block * 100
    writing.join()
    assert lost == [0] * 100
