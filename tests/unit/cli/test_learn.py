"""`gatepost learn` and `gatepost evaluate`, as they are typed."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from milter.cli import EXIT_CONFIGURATION, EXIT_FINE, EXIT_INPUT, EXIT_INTERRUPTED, run
from reputation.classifier.features import domain_number
from reputation.classifier.learner import WEIGHTS_NAME, Learner
from reputation.classifier.model import knows_domain
from reputation.classifier.trial import online
from reputation.classifier.weights import Weights
from tests.support.lessons import features_of
from tests.support.patience import wait_until
from tests.support.spam_track import a_collection

if TYPE_CHECKING:
    from pathlib import Path

MAIL = (
    "From: Ada <a@example.net>\nSubject: {subject}\nMessage-ID: <{number}@example.net>\n\n{text}\n"
)
WANTED = ("minutes of the meeting", "Please review the draft of the minutes by Monday")
UNWANTED = ("you have won", "Claim your lottery prize now, winner of the cheap pills")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a configuration, labelled mail and its index."""
    (tmp_path / "gatepost.yaml").write_text("store: sqlite:state/gatepost.db\n")
    lines = ["label\tfile"]
    for number in range(60):
        label = "spam" if number % 2 else "ham"
        subject, text = UNWANTED if number % 2 else WANTED
        path = tmp_path / label / f"{number}.eml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(MAIL.format(subject=subject, number=number, text=text))
        lines.append(f"{label}\t{label}/{number}.eml")
    (tmp_path / "index.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def learn(site: Path, label: str, *paths: Path) -> int:
    return run(["learn", label, *map(str, paths), "-c", str(site / "gatepost.yaml")])


def test_learned_mail_is_in_the_weights(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert learn(site, "ham", site / "ham") == EXIT_FINE
    assert learn(site, "spam", site / "spam") == EXIT_FINE

    state = Weights(site / "state" / "classifier" / WEIGHTS_NAME).state
    assert (state.ham, state.spam) == (30, 30)
    assert capsys.readouterr().out.splitlines() == [
        "30 learned as ham",
        "known now: 30 ham, 0 spam; no verdict before 20 of each",
        "30 learned as spam",
        "known now: 30 ham, 30 spam",
    ]


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
def test_runbook_begins_anew(
    site: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learn(site, "spam", site / "ham")
    runbook = (checkout / "docs/runbooks/GatepostClassifierDrifts.md").read_text("utf-8")
    subprocess.run(
        ["sh", "-ec", runbook.partition("```bash\n")[2].partition("```")[0]], cwd=site, check=True
    )
    capsys.readouterr()

    assert learn(site, "ham", site / "ham") == EXIT_FINE
    assert capsys.readouterr().out.splitlines() == [
        "30 learned as ham",
        "known now: 30 ham, 0 spam; no verdict before 20 of each",
    ]


def test_domain_that_says_so_learns_it_too(site: Path) -> None:
    config = str(site / "gatepost.yaml")
    for label in ("ham", "spam"):
        told = ["learn", label, str(site / label), "-c", config, "--domain", "Example.ORG."]
        assert run(told) == EXIT_FINE

    state = Weights(site / "state" / "classifier" / WEIGHTS_NAME).state
    assert knows_domain(state, domain_number("example.org"))
    assert not knows_domain(state, domain_number("example.net"))


@pytest.mark.parametrize("domain", ["our company", "@example.org", "https://example.org/", ""])
def test_domain_that_is_none_learns_nothing(
    domain: str, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["learn", "ham", str(site / "ham"), "--domain", domain]

    assert run([*command, "-c", str(site / "gatepost.yaml")]) == 2
    said = capsys.readouterr().err
    assert f"{domain!r} is no domain name" in said
    assert ("did you mean example.org?" in said) == ("example.org" in domain)
    assert not (site / "state").exists()


def test_index_that_is_not_there_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--online", f"{site}/none.tsv"]) == EXIT_INPUT
    told = capsys.readouterr().err
    assert told == f"Error: {site}/none.tsv: cannot be read: No such file or directory\n"


def test_known_and_changed_mail_is_told(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learn(site, "ham", site / "ham")
    capsys.readouterr()

    learn(site, "ham", site / "ham" / "0.eml")
    learn(site, "spam", site / "ham" / "2.eml")

    told = capsys.readouterr().out.splitlines()[::2]
    assert told == ["0 learned as ham, 1 known before", "0 learned as spam, 1 changed to spam"]
    state = Weights(site / "state" / "classifier" / WEIGHTS_NAME).state
    assert (state.ham, state.spam) == (29, 1)


def test_store_put_back_from_an_old_copy_is_taught_on(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = site / "state" / "gatepost.db"
    learn(site, "ham", site / "ham" / "0.eml")
    shutil.copy(file, site / "copy")
    learn(site, "ham", site / "ham")
    (site / "copy").replace(file)
    capsys.readouterr()

    assert learn(site, "spam", site / "spam") == EXIT_FINE

    # The lessons of ham are not in the store any more, and are known all the same.
    assert capsys.readouterr().out.splitlines() == [
        "30 learned as spam",
        "known now: 30 ham, 30 spam",
    ]


def test_daemon_that_learns_is_left_to_do_it(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = Learner(site / "state" / "classifier")

    assert learn(site, "ham", site / "ham") == EXIT_FINE

    assert "the daemon learns them now" in capsys.readouterr().out
    daemon.close()


def test_scan_uses_what_was_learned(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learn(site, "ham", site / "ham")
    learn(site, "spam", site / "spam")
    capsys.readouterr()
    folder = str(site / "state" / "classifier")

    run(["scan", "--offline", "--json", "--classifier", folder, str(site / "spam" / "1.eml")])

    report = json.loads(capsys.readouterr().out)
    assert report["symbols"]["CLASSIFIER_SPAM_SURE"]["weight"] == 5


def test_without_a_store_it_says_what_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gatepost.yaml").write_text("log: {level: info}\n")

    assert learn(tmp_path, "ham", tmp_path) == EXIT_CONFIGURATION

    assert "names no `store`" in capsys.readouterr().err


def test_unreadable_mail_is_told_and_the_rest_learned(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert learn(site, "ham", site / "missing.eml", site / "ham") == EXIT_INPUT

    captured = capsys.readouterr()
    assert "missing.eml: cannot be read" in captured.err
    assert captured.out.startswith("30 learned as ham\n")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bytes(range(256)) * 9, id="program"),
        pytest.param(b"store: sqlite:x.db\nworkers: 2\n", id="configuration"),
        pytest.param(b"Dear all,\n\nFrom: is what I forgot.\n", id="text"),
    ],
)
def test_file_that_is_no_message_is_told_and_not_learned(
    site: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    (site / "thing").write_bytes(data)

    assert learn(site, "ham", site / "thing", site / "ham" / "0.eml") == EXIT_INPUT

    captured = capsys.readouterr()
    assert "thing: is no message: no field of a header is in it" in captured.err
    assert captured.out.startswith("1 learned as ham\n")


def test_mailbox_without_messages_is_told_and_no_mistake(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "empty.mbox").touch()
    (site / "empty").mkdir()

    assert learn(site, "ham", site / "empty.mbox", site / "empty") == EXIT_FINE

    captured = capsys.readouterr()
    told = [f"{site / name}: holds no message" for name in ("empty.mbox", "empty")]
    assert captured.err.splitlines() == told
    assert captured.out.startswith("0 learned as ham\n")


def look(terminal: int, seen: bytearray) -> None:
    """Add to `seen` what the terminal shows, until nobody writes to it: an error on Linux."""
    with suppress(OSError):
        while shown := os.read(terminal, 4096):
            seen += shown


def test_interrupted_it_has_learned_what_it_says_and_can_go_on(site: Path, checkout: Path) -> None:
    config = str(site / "gatepost.yaml")
    mailbox = b"".join(
        b"From x Thu Jan  1 00:00:00 1970\n%b\n" % path.read_bytes()
        for path in sorted((site / "spam").iterdir())
    )
    terminal, side = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "milter", "learn", "spam", "-", "-c", config],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=side,
    ) as running:
        os.close(side)
        assert running.stdin is not None
        assert running.stdout is not None
        # The standard input stays open: more could come.
        running.stdin.write(mailbox)
        running.stdin.flush()
        seen = bytearray()
        # Somebody looks to the end: a terminal that nobody reads stops who writes to it.
        looking = threading.Thread(target=look, args=(terminal, seen))
        looking.start()
        wait_until(lambda: b"29 messages" in seen)
        running.send_signal(signal.SIGINT)
        said = running.stdout.read().decode().splitlines()
        running.stdin.close()
    looking.join()
    os.close(terminal)

    assert running.returncode == EXIT_INTERRUPTED
    assert said == [
        "29 learned as spam",
        "known now: 0 ham, 29 spam; no verdict before 20 of each",
    ]
    assert learn(site, "spam", site / "spam") == EXIT_FINE
    state = Weights(site / "state" / "classifier" / WEIGHTS_NAME).state
    assert state.spam == 30


def test_progress_is_shown_where_somebody_looks(site: Path, checkout: Path) -> None:
    terminal, side = pty.openpty()
    command = [sys.executable, "-m", "milter", "learn", "spam", str(site / "spam")]
    with subprocess.Popen(
        [*command, "-c", str(site / "gatepost.yaml")],
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        stdout=side,
        stderr=side,
    ):
        os.close(side)
        seen = bytearray()
        look(terminal, seen)
    os.close(terminal)

    assert b" 30 messages" in seen
    assert b"30 learned as spam" in seen


def test_evaluation_ranks_what_is_easy(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = str(site / "index.tsv")

    assert run(["evaluate", index, "--online", "--json"]) == EXIT_FINE

    measured = json.loads(capsys.readouterr().out)[index]
    assert (measured["ham"], measured["spam"]) == (30, 30)
    assert measured["roca"] < 1
    assert measured["curve"][-1][0] == 60
    assert not (site / "state").exists()


def test_training_on_one_index_judges_another(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(site / "index.tsv")

    assert run(["evaluate", index, "--train", index, "--shuffle", "3"]) == EXIT_FINE

    assert "0.0000" in capsys.readouterr().out


def test_late_labels_are_learned_late(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = str(site / "index.tsv")

    run(["evaluate", index, "--online", "--delay", "60", "--json"])

    assert json.loads(capsys.readouterr().out)[index]["roca"] == 50


def test_labels_of_the_first_messages_alone_are_learned(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = str(site / "index.tsv")

    def roca(learned: int) -> float:
        run(["evaluate", index, "--online", "--learn-first", str(learned), "--json"])
        return float(json.loads(capsys.readouterr().out)[index]["roca"])

    assert roca(0) == 50
    assert roca(40) < 25


def test_labels_that_come_late_are_still_learned_of_the_first_messages() -> None:
    mail = [
        (number % 2 == 1, features_of(spam=number % 2 == 1, seed=number)) for number in range(60)
    ]

    at_once, late = (list(online(mail, delay, learned=20)) for delay in (0, 10))

    assert late[:11] == [0.5] * 11
    # From then on both know the same.
    assert late[30:] == at_once[30:]


def test_index_of_the_spam_track_is_read_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = a_collection(tmp_path / "trec07p")

    assert run(["evaluate", str(index), "--online", "--json"]) == EXIT_FINE

    measured = json.loads(capsys.readouterr().out)[str(index)]
    assert (measured["ham"], measured["spam"]) == (30, 30)


def test_curve_is_drawn(site: Path) -> None:
    curve = site / "curve.png"

    run(["evaluate", str(site / "index.tsv"), "--online", "--curve", str(curve)])

    assert curve.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("maybe\tx.eml", "index.tsv:1: `ham` or `spam`, a tab or a space, and a file are needed"),
        ("ham", "index.tsv:1: `ham` or `spam`, a tab or a space, and a file are needed"),
        ("ham \t", "index.tsv:1: `ham` or `spam`, a tab or a space, and a file are needed"),
        ("ham\tgone.eml", "gone.eml: No such file"),
    ],
)
def test_bad_index_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    (tmp_path / "index.tsv").write_text(line + "\n")

    assert run(["evaluate", "--online", str(tmp_path / "index.tsv")]) == EXIT_INPUT

    assert words in capsys.readouterr().err


def test_folder_in_place_of_an_index_is_told(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "--online", str(site / "ham")]) == EXIT_INPUT

    assert "is a folder; an index names its files" in capsys.readouterr().err
