"""What `gatepost learn` hands over, a daemon that runs knows soon, in all of its workers."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from milter.cli import run
from tests.support.gatepost import configuration, running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.gatepost import Gatepost

pytestmark = pytest.mark.slow

MAIL = (
    "From: Ada <a@example.net>\r\nSubject: {subject}\r\nMessage-ID: <{number}@x>\r\n\r\n{text}\r\n"
)
WANTED = ("minutes of the meeting", "Please review the draft of the minutes by Monday")
UNWANTED = ("you have won", "Claim your lottery prize now, winner of the cheap pills")
# Far more than the second that is promised: the machine may be busy.
_PATIENCE_S = 30.0


def write_mail(folder: Path) -> None:
    for number in range(60):
        subject, text = UNWANTED if number % 2 else WANTED
        path = folder / ("spam" if number % 2 else "ham") / f"{number}.eml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MAIL.format(subject=subject, number=number, text=text), newline="")


def scanned(daemon: Gatepost, *, spam: bool = True) -> Any:
    """Return what the daemon says of a message that it was not shown."""
    subject, text = UNWANTED if spam else WANTED
    message = MAIL.format(subject=subject, number=99, text=text)
    with closing(HTTPConnection("127.0.0.1", daemon.http_port, timeout=_PATIENCE_S)) as connection:
        connection.request("POST", "/v1/scan", message)
        return json.load(connection.getresponse())


def recorded(daemon: Gatepost, txn_id: str, token: str) -> Any:
    """Return the record of a message; None while it is not written."""
    with closing(HTTPConnection("127.0.0.1", daemon.http_port, timeout=_PATIENCE_S)) as connection:
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("GET", f"/v1/history/{txn_id}", headers=headers)
        answer = connection.getresponse()
        return json.load(answer) if answer.status == 200 else None


def symbols(daemon: Gatepost) -> set[str]:
    # Until the workers that were killed are back, the port says that nobody judges.
    return set(scanned(daemon).get("symbols", ()))


def wait_for(daemon: Gatepost, symbol: str) -> None:
    wait_until(lambda: symbol in symbols(daemon), lambda: f"{symbol} was not seen in time")


def teach(daemon: Gatepost, label: str, message: bytes, token: str) -> int:
    """Return the status of a lesson that is given over HTTP."""
    with closing(HTTPConnection("127.0.0.1", daemon.http_port, timeout=_PATIENCE_S)) as connection:
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("POST", f"/v1/learn/{label}", message, headers)
        return connection.getresponse().status


def test_daemon_learns_over_http_from_who_knows_the_token(tmp_path: Path) -> None:
    write_mail(tmp_path)
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}", store=f"sqlite:{tmp_path / 'state.db'}", workers=2
        )
        config["http"]["token_file"] = "token"
        with running_gatepost(config, {"token": "secret\n"}) as daemon:
            files = [(path.parent.name, path.read_bytes()) for path in tmp_path.glob("*am/*.eml")]
            assert teach(daemon, "spam", files[0][1], "guessed") == 401
            assert {teach(daemon, label, data, "secret") for label, data in files} == {200}
            wait_for(daemon, "CLASSIFIER_SPAM_SURE")

            for label, sign in (("SPAM", "+"), ("HAM", "-")):
                symbol, said = f"CLASSIFIER_{label}_SURE", scanned(daemon, spam=label == "SPAM")
                _, *reasons = said["symbols"][symbol]["evidence"].split("; ")
                assert len(reasons) == 5
                assert all(reason.partition('" ')[2].startswith(sign) for reason in reasons)
                record = partial(recorded, daemon, said["txn_id"], "secret")
                wait_until(lambda: record() is not None, lambda: daemon.log)  # noqa: B023 - at once
                kept = record()
                found = {one["symbol"]: one["evidence"] for one in kept["found"]}
                assert found[symbol] == said["symbols"][symbol]["evidence"]


def test_daemon_learns_while_it_runs_and_changes_its_mind_after_a_kill(tmp_path: Path) -> None:
    write_mail(tmp_path)
    place = tmp_path / "state" / "gatepost.db"
    (tmp_path / "cli.yaml").write_text(f"store: sqlite:{place}\n")

    def learn(label: str, *paths: str) -> None:
        files = [str(tmp_path / path) for path in paths]
        assert run(["learn", label, *files, "-c", str(tmp_path / "cli.yaml")]) == 0

    with running_sink() as sink:
        config = configuration(f"127.0.0.1:{sink.port}", store=f"sqlite:{place}", workers=2)
        with running_gatepost(config, {}) as daemon:
            assert not any(symbol.startswith("CLASSIFIER") for symbol in symbols(daemon))

            learn("ham", "ham")
            learn("spam", "spam")
            wait_for(daemon, "CLASSIFIER_SPAM_SURE")

            for pid in daemon.worker_pids:
                os.kill(pid, signal.SIGKILL)
            learn("ham", "spam")
            learn("spam", "ham")
            wait_for(daemon, "CLASSIFIER_HAM_SURE")
