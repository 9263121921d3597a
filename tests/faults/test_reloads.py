"""Many reloads while mail flows, every other one of a policy with a mistake."""

from __future__ import annotations

import os
import re
import smtplib
import threading
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

# Two hundred take minutes: GATEPOST_RELOADS=200 pytest tests/faults/test_reloads.py
_RELOADS: Final = int(os.environ.get("GATEPOST_RELOADS", "24"))
_SENDERS: Final = 2
_TRIES: Final = 20
_PAUSE_S: Final = 0.05
# From here on the supervisor has met everything once, a preset with all its rules, too: reading it
# takes tens of megabytes that are used again and not given back.
_WARM: Final = 10
_LARGE_AND_BROKEN: Final = "version: 1\nextends: balanced\nweights: {NO_SUCH_SYMBOL: 1}\n"
_PAGE_BYTES: Final = 4096
_GROWTH_BYTES: Final = 16_000_000
_MISTAKES: Final = Path(__file__).parents[1] / "corpus" / "policy_mistakes"
_STATUS: Final = re.compile(rb"X-Spam-Status: \w+, score=([\d.]+) required=([\d.]+)\s+tests=(\S+)")


def version(number: int) -> str:
    """Return a policy each part of which names its version: symbols, points and threshold."""
    return (
        f"version: 1\nname: version-{number}\nthresholds: {{tag: {500 + number}}}\n"
        f"patterns:\n  - {{id: FOUND_{number}, in: subject, match: serial, weight: {number}, "
        f"describe: d}}\n"
        f"rules: [{{id: RULED_{number}, when: '\"FOUND_{number}\" in symbols && size_bytes > 1', "
        f"weight: 0.5, describe: d}}]\n"
    )


def policies() -> Iterator[str]:
    """Yield policies, a good one after each that has a mistake."""
    broken = [_LARGE_AND_BROKEN]
    broken += [
        path.read_text("utf-8")
        for path in sorted(_MISTAKES.glob("*.yaml"))
        if ": error: " in path.with_suffix(".expected").read_text("utf-8")
    ]
    for number, mistake in zip(range(2, _RELOADS // 2 + 2), cycle(broken), strict=False):
        yield mistake
        yield version(number)


class Senders:
    """Send numbered messages, each on a connection of its own, until told to stop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = count()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(_SENDERS)]
        self.taken: list[int] = []
        self.turned_away: list[str] = []
        self.given_up: list[int] = []

    def __enter__(self) -> Senders:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        # The processor is for reloads, too.
        while not self._over.wait(_PAUSE_S):
            number = next(self._numbers)
            message = f"From: a@example.net\r\nSubject: serial {number}.\r\n\r\nhello\r\n"
            if not any(self._sent(number, message) for _ in range(_TRIES)):
                self.given_up.append(number)

    def _sent(self, number: int, message: str) -> bool:
        """Try once; return whether the message was answered 250."""
        client = smtplib.SMTP(timeout=60)
        try:
            client.connect("127.0.0.1", self._port)
            client.sendmail("a@example.net", "b@example.org", message)
        except (OSError, smtplib.SMTPException) as error:
            # Who comes too late for a worker that is ending is told 421, or, having written
            # meanwhile, finds the connection closed. A mail server comes again.
            self.turned_away.append(f"{number}: {error!r}")
            return False
        finally:
            # No QUIT: a worker that is ending answers it with 421, after the message was taken.
            client.close()
        self.taken.append(number)
        return True


def test_reloads_under_load_lose_nothing_and_mix_nothing() -> None:
    with running_sink() as sink:
        config = configuration(sink.host, policies="policy.yaml", dns={"zone_file": "zone.yaml"})
        files = {"policy.yaml": version(1), "zone.yaml": "names: {}\n"}
        with running_gatepost(config, files) as daemon, Senders(daemon.port) as senders:
            before = _reload_all(daemon)
            after = _resident_bytes(daemon.process.pid)
    assert senders.given_up == [], senders.turned_away
    _check(senders.taken, sink)
    print(f"{after - before:+} bytes in the supervisor, {len(senders.turned_away)} turned away")  # noqa: T201 - shown with -s
    assert after - before < _GROWTH_BYTES


def _reload_all(daemon: Gatepost) -> int:
    """Reload again and again; return what the supervisor holds in memory once it is warm."""
    warm = 0
    for number, policy in enumerate(policies()):
        (daemon.folder / "policy.yaml").write_text(policy, "utf-8")
        daemon.reload()
        if number == _WARM:
            warm = _resident_bytes(daemon.process.pid)
    wait_until(lambda: daemon.log.count('"event":"reloaded"') == _RELOADS // 2)
    wait_until(lambda: len(daemon.worker_pids) == 1)
    return warm


def _check(taken: list[int], sink: MailboxSink) -> None:
    """Each message that was taken is there once, judged by one version alone."""
    arrived: list[int] = []
    seen: set[int] = set()
    for message in sink.messages:
        serial = re.search(rb"Subject: serial (\d+)\.", message.content)
        status = _STATUS.search(message.content)
        assert serial
        assert status, message.content
        arrived.append(int(serial[1]))
        number = int(float(status[2])) - 500
        assert float(status[1]) == number + 0.5
        assert set(status[3].split(b",")) == {b"FOUND_%d" % number, b"RULED_%d" % number}
        seen.add(number)
    assert sorted(arrived) == sorted(taken)
    # The load met the versions that were there, not two or three of them.
    assert len(seen) > _RELOADS // 4
    print(f"{len(arrived)} messages, {len(seen)} versions")  # noqa: T201 - shown with -s


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
