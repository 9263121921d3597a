"""What `docs/http.md`, `docs/milter.md` and `docs/spamd.md` show is run as it stands there.

Ports, and paths of sockets and files, are exchanged for those of the test.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.debian import need_program
from tests.support.doc_blocks import block
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.ports import free_port
from tests.support.postfix import assert_known_to_postfix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = [pytest.mark.debian, pytest.mark.slow]

_HAM: Final = "From: a@example.net\nTo: b@example.org\nSubject: minutes\n\nHello.\n"
_GTUBE: Final = (
    "From: a@example.net\nSubject: x\n\n"
    "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"
)
_TOKEN: Final = "secret"


@contextlib.contextmanager
def _daemon(folder: Path, http: str = "", spamd: int = 0) -> Iterator[Gatepost]:
    """Run a daemon that learns; `message.eml` and `token` lie beside what is run."""
    config: dict[str, Any] = configuration(
        "127.0.0.1:1", store=f"sqlite:{folder / 'state.db'}", dns={"zone_file": "zone.yaml"}
    )
    config["http"]["token_file"] = str(folder / "token")
    if http:
        config["http"]["bind"] = http
    config["listeners"] += [
        {"name": "spamd", "protocol": "spamd", "bind": f"127.0.0.1:{spamd or free_port()}"},
        {"name": "spamd-local", "protocol": "spamd", "bind": f"unix:{folder / 'spamd'}"},
    ]
    (folder / "token").write_text(_TOKEN)
    (folder / "message.eml").write_text(_GTUBE)
    with running_gatepost(config, {"zone.yaml": "names: {}\n"}) as daemon:
        yield daemon


def _run(command: str, folder: Path, needs: str, said: str = "") -> str:
    """Return what a command prints; it must end well."""
    need_program(needs)
    done = subprocess.run(
        ["sh", "-euc", command],
        cwd=folder,
        input=said,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _lines(page: str, words: str, changes: Mapping[str, str]) -> list[str]:
    """Return the commands of a block, one a line, with words exchanged."""
    text = block(page, words).replace("\\\n", " ")
    for shown, ours in changes.items():
        assert shown in text, shown
        text = text.replace(shown, ours)
    return [line for line in text.splitlines() if line]


def test_curl_judges_and_teaches(tmp_path: Path) -> None:
    with _daemon(tmp_path) as daemon:
        ports = {"11380": str(daemon.http_port)}
        (scan,) = _lines("http.md", "-H 'IP:", ports)
        verdict = json.loads(_run(scan, tmp_path, "curl"))
        assert (verdict["action"], "GTUBE" in verdict["symbols"]) == ("reject", True)
        (learn,) = _lines("http.md", 'Bearer $(cat token)" http', ports)
        assert json.loads(_run(learn, tmp_path, "curl")) == {"heard": "learned"}


def test_python_judges(tmp_path: Path) -> None:
    with _daemon(tmp_path) as daemon:
        shown = block("http.md", "def judge(").replace("11380", str(daemon.http_port))
        names: dict[str, Any] = {}
        exec(shown, names)  # noqa: S102 - our own page
        verdict = names["judge"](_GTUBE.encode(), "192.0.2.1", "a@example.net", "b@example.org")
    assert verdict["action"] == "reject"


def test_rspamc_judges_and_teaches(tmp_path: Path) -> None:
    with _daemon(tmp_path) as daemon:
        scan, learn = _lines("http.md", "rspamc -h", {"11380": str(daemon.http_port)})
        assert "Action: reject" in _run(scan, tmp_path, "rspamc")
        assert "success = true" in _run(learn, tmp_path, "rspamc")


def test_spamc_marks_and_teaches(tmp_path: Path) -> None:
    spamd = free_port()
    with _daemon(tmp_path, spamd=spamd):
        changes = {"783": str(spamd), "/run/gatepost/spamd": str(tmp_path / "spamd")}
        mark, learn = _lines("spamd.md", "spamc -d", changes)
        assert "X-Spam-Flag: YES" in _run(mark, tmp_path, "spamc")
        assert "Message successfully" in _run(learn, tmp_path, "spamc")


def test_what_dovecot_runs_teaches_over_the_socket(tmp_path: Path) -> None:
    socket_path = tmp_path / "http"
    with _daemon(tmp_path, f"unix:{socket_path}"):
        script = block("http.md", "#!/bin/sh").replace("/run/gatepost/http", str(socket_path))
        for label in ("spam", "ham"):
            program = tmp_path / f"learn-{label}"
            program.write_text(script.replace("learn/spam", f"learn/{label}"))
            program.chmod(0o755)
        assert "learned" in _run("./learn-spam ann", tmp_path, "curl", _HAM)
        assert "changed" in _run("./learn-ham ann", tmp_path, "curl", _HAM)


@pytest.mark.parametrize("words", ['"learn-spam"', '"learn-ham"', 'fileinto "Junk"'])
def test_sieve_scripts_compile_as_dovecot_is_configured(words: str, tmp_path: Path) -> None:
    program = need_program("sievec")
    settings = block("http.md", "imapsieve_mailbox1_name")
    (tmp_path / "dovecot.conf").write_text(f"protocols = imap\n{settings}")
    (tmp_path / "script.sieve").write_text(block("http.md", words))
    # The settings allow the extensions to scripts of the site, which imapsieve runs.
    extensions = "+vnd.dovecot.pipe +vnd.dovecot.environment +imapsieve"
    done = subprocess.run(
        [
            program.path,
            "-c",
            tmp_path / "dovecot.conf",
            "-x",
            extensions,
            tmp_path / "script.sieve",
        ],
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "script.svbin").exists()


def test_main_cf_is_known_to_postfix(tmp_path: Path) -> None:
    (tmp_path / "main.cf").write_text(block("milter.md", "smtpd_milters ="))
    (tmp_path / "master.cf").write_text(
        "submission inet n - n - - smtpd\n  -o milter_macro_daemon_name=SUBMISSION\n"
    )
    assert_known_to_postfix(tmp_path, "-n", "-M")


def test_exim_knows_its_lines(tmp_path: Path) -> None:
    program = need_program("exim4")
    settings, _, statements = block("spamd.md", "spamd_address").partition("acl_data:")
    config = tmp_path / "exim.conf"
    config.write_text(
        f"acl_smtp_data = acl_data\n{settings}\nbegin acl\nacl_data:{statements}\n", "utf-8"
    )
    config.chmod(0o644)
    done = subprocess.run(
        [program.path, "-C", config, "-bV"],
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("page", "words"),
    [("milter.md", "protocol: milter"), ("spamd.md", "protocol: spamd")],
)
def test_listeners_are_ours(page: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "gatepost.yaml").write_text(block(page, words))
    done = subprocess.run(
        [sys.executable, "-m", "milter", "config", "check", tmp_path / "gatepost.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
