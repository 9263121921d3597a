"""`gatepost reputation` over a store that a daemon would use."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import pytest

from milter.app.memory import keeping_of
from milter.cli import run
from milter.memory.opening import Home
from milter.memory.recollection import subject_secret
from milter.settings.history import History
from reputation import correspondents
from reputation.history import journal
from reputation.history.record import Record
from reputation.standing import Observation, fades
from reputation.subjects import Kind, Subject, pair

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = Subject(Kind.AUTHOR_DOMAIN, "example.org")


def a_configuration(tmp_path: Path, more: str = "") -> list[str]:
    (tmp_path / "g.yaml").write_text(f"store: sqlite:{tmp_path}/s.db\n{more}")
    return ["-c", f"{tmp_path}/g.yaml"]


def teach(tmp_path: Path, *, bad: float = 0.0, messages: int = 20, hashed: bool = False) -> None:
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    secret = subject_secret(store, hashed=hashed)
    one = Observation(time.time(), (DOMAIN,), 0.0 if bad else 1.0, bad)
    for _ in range(messages):
        store.write(list(fades(one, secret)))
    store.close()


def test_show_says_what_is_known_of_each_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teach(tmp_path)

    assert run(["reputation", "show", "example.org", *a_configuration(tmp_path)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("author_domain:example.org: trusted; score -1.00, confidence 0.71")
    assert lines[1] == "claimed_domain:example.org: nothing is known"


def test_forget_forgets_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teach(tmp_path, bad=1.0)
    where = a_configuration(tmp_path)

    assert run(["reputation", "show", str(DOMAIN), "--json", *where]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["bad"], told["trusted"], told["recent_bad"] > 19) == (True, False, True)
    assert run(["reputation", "forget", str(DOMAIN), *where]) == 0
    assert run(["reputation", "forget", str(DOMAIN), *where]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "author_domain:example.org: forgotten",
        "author_domain:example.org: nothing was known",
    ]
    assert run(["reputation", "show", str(DOMAIN), "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_forget_a_person_reaches_the_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_configuration(tmp_path)
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    now = time.time()
    one = Observation(now, (pair("a@there.example", "dora@home.example"),), 1.0, 0.0)
    store.write(list(fades(one, None)))
    keep = keeping_of(History()).keep
    for number, to in enumerate(["dora@home.example", "eva@home.example"]):
        record = Record(f"T{number}", now, mail_from="a@there.example", recipients=[to])
        store.write([journal.append(record, keep, journal.secret_of(store))])
    store.close()

    assert run(["reputation", "forget", "dora@home.example", "--keep-history", *where]) == 0
    assert run(["reputation", "forget", "Dora@home.example", *where]) == 0
    assert run(["reputation", "forget", "author_domain:home.example", *where]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pair:a@there.example dora@home.example: forgotten",
        "dora@home.example: 1 records and 0 messages of the history erased",
        "author_domain:home.example: nothing was known",
    ]
    assert run(["trace", "a@there.example", *where]) == 0
    assert "to eva@home.example" in capsys.readouterr().out
    assert b"dora" not in b"".join(path.read_bytes() for path in tmp_path.glob("s.db*"))


@pytest.mark.parametrize(
    "named",
    ["dora@b\u00fccher.example", "<Dora@XN--bcher-kva.example.>", '"dora"@b\u00fccher.example'],
)
def test_forget_finds_every_spelling_in_records_and_encoded_messages(
    named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_configuration(tmp_path)
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    now, keep, secret = time.time(), keeping_of(History()).keep, journal.secret_of(store)
    kept = "Liebe dora@b\u00fccher.example, hier steht es.\r\n".encode()
    message = (
        b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(kept)
    )
    for number, subject in enumerate(["to Dora@b\u00fccher.example", "to eva@b\u00fccher.example"]):
        record = Record(f"T{number}", now, subject=subject)
        store.write([journal.append(record, keep, secret)])
    store.write([journal.append_message("T9", now, message, keep, secret)])
    store.close()

    assert run(["reputation", "forget", named, *where]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "dora@xn--bcher-kva.example: 1 records and 1 messages of the history erased"
    ]


@pytest.mark.parametrize("named", ["2001:db8::7", "2001:DB8:0::7", "[2001:db8::0007]"])
def test_forget_finds_every_spelling_of_a_client(
    named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_configuration(tmp_path)
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    now, keep, secret = time.time(), keeping_of(History()).keep, journal.secret_of(store)
    record = Record("T1", now, client={"ip": "2001:db8::7"})
    store.write([journal.append(record, keep, secret)])
    for number, literal in enumerate(["IPv6:2001:db8::7", "IPv6:2001:db8::7:1"]):
        message = b"Received: from x ([%b]) by y; z\r\n\r\nx\r\n" % literal.encode()
        store.write([journal.append_message(f"T{8 + number}", now, message, keep, secret)])
    store.close()
    assert run(["history", "search", "--client-ip", named, *where]) == 0
    capsys.readouterr()

    assert run(["reputation", "forget", named, *where]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "2001:db8::7: 1 records and 1 messages of the history erased"
    )


def test_show_a_mailbox_tells_whom_it_exchanges_mail_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = a_configuration(tmp_path)
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    pairs = [("a@there.example", "dora@home.example"), ("dora@home.example", "b@there.example")]
    for each in (*pairs, ("a@there.example", "theodora@home.example")):
        store.write(list(fades(Observation(time.time(), (pair(*each),), 1.0, 0.0), None)))
    store.close()

    assert run(["reputation", "show", "Dora@home.example", *where]) == 0
    assert run(["reputation", "show", "nobody@home.example", *where]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert {line.partition(": ")[0] for line in lines[:2]} == {
        "pair:a@there.example dora@home.example",
        "pair:dora@home.example b@there.example",
    }
    assert lines[2:] == ["nobody@home.example: nothing is known"]


def test_hashed_mailbox_needs_the_other_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    secret = subject_secret(store, hashed=True)
    known = pair("a@there.example", "dora@home.example")
    store.write(list(fades(Observation(time.time(), (known,), 1.0, 0.0), secret)))
    store.close()
    where = a_configuration(tmp_path, "memory: {subjects: hashed}\n")

    assert run(["reputation", "show", "dora@home.example", *where]) == 2
    assert "name both mailboxes" in capsys.readouterr().err
    assert run(["reputation", "forget", "dora@home.example", *where]) == 0
    assert "name both mailboxes" in capsys.readouterr().out
    assert run(["reputation", "forget", "a@there.example dora@home.example", *where]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{known}: forgotten"


@pytest.mark.parametrize("hashed", [False, True], ids=["hashed-now", "plain-now"])
def test_forget_reaches_what_was_kept_under_another_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, hashed: bool
) -> None:
    store = Home(f"sqlite:{tmp_path}/s.db").open()
    secret = subject_secret(store, hashed=hashed)
    known = pair("a@there.example", "dora@home.example"), pair("b@there.example", "c@home.example")
    store.write(list(fades(Observation(time.time(), known, 1.0, 0.0), secret)))
    store.close()
    where = a_configuration(tmp_path, f"memory: {{subjects: {'plain' if hashed else 'hashed'}}}\n")
    # Of hashes one mailbox cannot be found.
    named = "a@there.example dora@home.example" if hashed else "dora@home.example"

    assert run(["reputation", "forget", named, *where]) == 0
    assert capsys.readouterr().out.startswith(f"{known[0]}: forgotten\n")
    assert run(["reputation", "export", *where]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_forget_a_pair_ends_the_welcome_of_a_correspondent(tmp_path: Path) -> None:
    where, now = a_configuration(tmp_path), time.time()
    ours, theirs = "dora@home.example", "a@there.example"

    def welcome() -> tuple[str, ...]:
        store = Home(f"sqlite:{tmp_path}/s.db").open()
        found = correspondents.look_up(store, theirs, [ours], [], now)
        store.close()
        return found.written_to

    store = Home(f"sqlite:{tmp_path}/s.db").open()
    secret = correspondents.secret_of(store)
    store.write(list(correspondents.sent(secret, ours, [theirs], "", now)))
    store.close()
    assert welcome() == (ours,)

    assert run(["reputation", "forget", f"{theirs} {ours}", *where]) == 0

    assert welcome() == ()


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
def test_export_prints_every_standing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, hashed: bool
) -> None:
    teach(tmp_path, hashed=hashed)
    more = "memory: {subjects: hashed}\n" if hashed else ""

    assert run(["reputation", "export", *a_configuration(tmp_path, more)]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["subject"] == str(DOMAIN)) is not hashed
    assert "example" not in told["subject"] or not hashed
    assert told["trusted"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["show", "two words"], 2, "SUBJECT needs an IP address", id="no-subject"),
        pytest.param(["show", "example.org"], 3, "does not exist yet", id="no-file"),
    ],
)
def test_wrong_use_is_told_and_makes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    assert run(["reputation", *arguments, *a_configuration(tmp_path)]) == code
    assert words in capsys.readouterr().err
    assert not (tmp_path / "s.db").exists()


def test_configuration_without_a_store_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reputation", "show", "example.org"]) == 78
    assert "no configuration is named" in capsys.readouterr().err
