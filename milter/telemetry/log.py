"""Log lines: one JSON object or plain words a line, of fields declared here.

The event is a short constant phrase; what differs stands in fields (`extra=`). A field that is
not in `FIELDS` is not written. Subject, body, passwords and keys have no field.
What peers wrote is escaped: one record is one line whatever they sent (CWE-117). Writing is a
thread's work (`writer`), because standard error may be a pipe that nobody reads.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIELDS: Final = frozenset(
    {
        # who and what; the names of 6-style, section 2
        "session_id", "txn_id", "queue_id", "listener", "direction", "protocol",
        "client_ip", "client_port", "client_name", "helo_name", "tls", "account",
        "judged_ip", "judged_helo_name", "relays",
        "mail_from", "recipients", "rcpt_count", "size_bytes", "header_from", "message_id",
        # what was found and decided
        "spf", "dkim", "dmarc", "arc", "iprev", "symbols", "score", "action", "live_action",
        "policy", "policy_version", "rule", "kind", "reply",
        "check", "zone", "stage",
        # the end of it
        "next_hop", "server", "transactions", "duration_ms", "error", "temporary",
        # the daemon's own life
        "worker", "pid", "workers", "version", "path", "signal", "result", "dropped",
        "lessons", "begun_again_from",
    }
)  # fmt: skip
# Personal data by itself, wherever an operator asks for hashes instead.
ADDRESS_FIELDS: Final = frozenset({"mail_from", "recipients", "account", "header_from"})

# A write of at most PIPE_BUF octets to a pipe is not mixed with those of other workers (POSIX
# write(2); 4096 on Linux).
MAX_LINE: Final = 4096
_MAX_VALUE: Final = 1000
_SHORT_VALUE: Final = 120
_MAX_ITEMS: Final = 50
_FEW_ITEMS: Final = 5
_MAX_TRACEBACK: Final = 2000

# Linear: each repetition stops at the one character that the next part begins with.
_ADDRESS: Final = re.compile(r"[^\s<>@\",;:()]{1,256}@[^\s<>@\",;:()]{1,255}")

Value = str | int | float | bool | list[str]


# What handlers of others ask of a record; ours show none of it.
_NO_SOURCE: Final = logging.makeLogRecord({}).__dict__


class Event(logging.LogRecord):
    """A record of one INFO line that every connection or message has.

    Standard logging finds out where in the code each record was made, and copies its fields one by
    one; for these lines both would cost more than writing them.

    Args:
        name: Of the logger.
        event: A short constant phrase.
        fields: The line's own, with names of `FIELDS`; not changed from here on.
    """

    fields: Mapping[str, object]

    def __init__(self, name: str, event: str, fields: Mapping[str, object]) -> None:
        # Not the constructor of the base class: the finding out is its.
        self.__dict__.update(_NO_SOURCE)
        self.name = name
        self.levelno = logging.INFO
        self.levelname = "INFO"
        self.msg = event
        self.created = time.time()
        self.fields = fields


def log_event(logger: logging.Logger, event: str, fields: Mapping[str, object]) -> None:
    """Log an `Event`: for what is said of every connection and every message."""
    if logger.isEnabledFor(logging.INFO):
        logger.handle(Event(logger.name, event, fields))


def address_hasher(key: bytes) -> Callable[[str], str]:
    """Return a function that gives the same short word for the same address under `key`."""

    def hashed(address: str) -> str:
        digest = hashlib.blake2b(address.lower().encode("utf-8", "replace"), key=key, digest_size=8)
        return f"#{digest.hexdigest()}"

    return hashed


def _plain(value: object) -> Value:
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [str(item) for item in value]
    return str(value)


def _cut(value: Value, length: int, items: int) -> Value:
    if isinstance(value, str) and len(value) > length:
        return f"{value[:length]}..."
    if isinstance(value, list):
        cut = [item if len(item) <= length else f"{item[:length]}..." for item in value[:items]]
        return cut if len(value) <= items else [*cut, f"and {len(value) - items} more"]
    return value


def _hidden(name: str, value: Value, hashed: Callable[[str], str]) -> Value:
    """Return `value` with every mail address in it replaced; replies and errors quote them too."""
    if name == "message_id":
        return value
    if isinstance(value, list):
        return [str(_hidden(name, item, hashed)) for item in value]
    if not isinstance(value, str):
        return value
    if name in ADDRESS_FIELDS:
        return hashed(value) if value not in {"", "<>"} else value
    return _ADDRESS.sub(lambda match: hashed(match.group()), value)


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]


def _moment(created: float) -> str:
    """Return the time of a record in UTC, with milliseconds; most share their second."""
    seconds = int(created)
    return f"{_second(seconds)}.{int((created - seconds) * 1000):03}Z"


# Made once: `json.dumps` would make an encoder for each line.
_as_json: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=_plain).encode


def _as_text(values: Mapping[str, object]) -> str:
    """Return words for a terminal: time, level, event, then `name=value`."""
    rest = dict(values)
    head = " ".join(str(rest.pop(name)) for name in ("time", "level", "event"))
    return " ".join([head, *(f"{name}={_word(value)}" for name, value in rest.items())])


def _word(value: object) -> str:
    plain_value = _plain(value)
    text = ",".join(plain_value) if isinstance(plain_value, list) else str(plain_value)
    escaped = json.dumps(text, ensure_ascii=True)
    # A word that needs no quotes is easier to read and to cut and paste.
    plain = text and " " not in text and "=" not in text and escaped == f'"{text}"'
    return text if plain else escaped


class LineFormatter(logging.Formatter):
    """Makes one line of a record; a subclass because that is what standard logging takes.

    Args:
        form: JSON object or plain words.
        hashed: What addresses are replaced by; None writes them as they are.
    """

    def __init__(
        self, form: Literal["json", "text"], hashed: Callable[[str], str] | None = None
    ) -> None:
        super().__init__()
        self._write = _as_json if form == "json" else _as_text
        self._hashed = hashed

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its end, at most `MAX_LINE` - 1 bytes of ASCII."""
        given = self._values(record)
        line = self._write(given)
        # Most lines fit as they are; looking at each value first would cost more than writing it.
        if len(line) < MAX_LINE:
            return line
        values = {name: _plain(value) for name, value in given.items()}
        for length, items in ((_MAX_VALUE, _MAX_ITEMS), (_SHORT_VALUE, _FEW_ITEMS)):
            line = self._write(
                {name: value if name == "traceback" else _cut(value, length, items)
                 for name, value in values.items()}
            )  # fmt: skip
            if len(line) < MAX_LINE:
                return line
        # Escapes made even short values long; the head says at least what happened and to whom.
        head = ("time", "level", "logger", "event", "session_id", "txn_id", "action")
        return self._write({name: values[name] for name in head if name in values})[: MAX_LINE - 1]

    def _values(self, record: logging.LogRecord) -> dict[str, object]:
        given = record.fields if isinstance(record, Event) else record.__dict__
        if not given.keys() <= FIELDS:
            given = {name: given[name] for name in given if name in FIELDS}
        values: dict[str, object] = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **given,
        }
        if record.exc_info:
            # The end of a traceback says what happened; its beginning is always the same.
            values["traceback"] = self.formatException(record.exc_info)[-_MAX_TRACEBACK:]
        if self._hashed is None:
            return values
        return {name: _hidden(name, _plain(value), self._hashed) for name, value in values.items()}
