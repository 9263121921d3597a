"""The command line: exit codes, words on stderr, no traceback."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from milter.cli import run
from milter.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_version_imports_nothing_heavy() -> None:
    script = (
        "import sys; from milter.cli import run; code = run(['--version']);"
        "heavy = {'asyncio', 'pydantic', 'yaml', 'aiohttp', 'rich', 'dns', 'milter.daemon'};"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == "0 []"


def test_command_has_no_thread_for_each_core() -> None:
    code = (
        "import os, sys\n"
        "from milter.cli import main\n"
        "try:\n"
        "    main(['stats', '--help'])\n"
        "except SystemExit:\n"
        "    print('numpy' in sys.modules, len(os.listdir('/proc/self/task')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True 1"


def test_run_help_names_what_people_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in ("config", "scan", "serve"))
    assert "worker" not in out


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["scan"], ["scan", "--nope"], ["config", "check", "a", "-c", "b"]],
    ids=["unknown-command", "missing-path", "unknown-option", "file-twice"],
)
def test_run_wrong_use_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_help_of_a_command_is_that_of_the_real_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: gatepost scan [OPTIONS] PATH...")
    assert "--client-ip" in out


_WITH_A_LIST = """\
version: 1
name: one-list
dns_lists:
  - zone: bl.example
    asks: client_ip
    effect: block
    codes: {"127.0.0.2": {symbol: ON_IT, weight: 1, class: source, kind: other, describe: On it}}
"""


def test_config_check_of_a_good_file_says_ok(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("listeners: [{name: in, bind: '127.0.0.1:0'}]\nhttp: null\npolicies: strict\n")
    assert run(["config", "check", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        f"OK: {file}",
        "listeners: in (127.0.0.1:0)",
        "policy: strict",
    ]


@pytest.mark.parametrize(
    ("policy", "warned"),
    [
        pytest.param(_WITH_A_LIST, True, id="with-a-list"),
        pytest.param("version: 1\nname: no-lists\n", False, id="without-lists"),
    ],
)
def test_config_check_warns_of_a_public_resolver_where_lists_are_asked(
    policy: str, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(policy)
    file = tmp_path / "g.yaml"
    file.write_text(
        "listeners: [{name: in, bind: '127.0.0.1:0'}]\nhttp: null\npolicies: policy.yaml\n"
        "dns:\n  nameservers: ['127.0.0.1:53', '8.8.8.8:53']\n"
    )
    assert run(["config", "check", str(file)]) == 0
    err = capsys.readouterr().err
    assert err.startswith(f"warning: {file}:5:") == warned
    assert ("public resolver of Google" in err) == warned


@pytest.mark.parametrize(("budget_s", "warned"), [(7.9, True), (8, False)])
def test_config_check_warns_of_a_budget_shorter_than_one_question(
    budget_s: float, warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(
        "listeners: [{name: in, bind: '127.0.0.1:0'}]\nhttp: null\n"
        f"limits:\n  budget_s: {budget_s}\n"
        "dns:\n  nameservers: ['127.0.0.1:53', '127.0.0.2:53']\n"
    )
    assert run(["config", "check", str(file)]) == 0
    err = capsys.readouterr().err
    assert ("one question to the DNS may take 8 s" in err) == warned
    assert (f"warning: {file}:4:" in err) == warned


@pytest.mark.parametrize(
    ("lists", "named"),
    [
        pytest.param(
            ["spamcop", "spamhaus-dbl", "uribl", "barracuda"],
            ["dbl.spamhaus.org", "multi.uribl.com", "b.barracudacentral.org"],
            id="those-that-refuse",
        ),
        pytest.param(["spamcop", "psbl"], [], id="nobody-refuses"),
        # A key says who asks, whichever resolver does.
        pytest.param(["{use: spamhaus-zen-dqs, key_file: key}"], [], id="with-a-key"),
    ],
)
def test_config_check_names_the_lists_that_refuse_public_resolvers(
    lists: list[str], named: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used = "".join(f"  - {one}\n" if one.startswith("{") else f"  - use: {one}\n" for one in lists)
    (tmp_path / "policy.yaml").write_text(f"version: 1\nname: one-list\ndns_lists:\n{used}")
    (tmp_path / "key").write_text("k3y")
    file = tmp_path / "g.yaml"
    file.write_text(
        "listeners: [{name: in, bind: '127.0.0.1:0'}]\nhttp: null\npolicies: policy.yaml\n"
        "dns:\n  nameservers: ['8.8.8.8:53']\n"
    )
    assert run(["config", "check", str(file)]) == 0
    err = " ".join(capsys.readouterr().err.split())
    who = f"these lists refuse those: {', '.join(named)};" if named else "many DNS lists refuse"
    assert who in err


def test_config_check_asks_for_tempfail_where_a_mail_server_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(
        "listeners:\n  - {name: a, bind: '127.0.0.1:0'}\n"
        "  - {name: b, protocol: milter, bind: '127.0.0.1:1'}\nhttp: null\n"
    )
    assert run(["config", "check", str(file)]) == 0
    err = capsys.readouterr().err
    assert err.startswith(f"warning: {file}:3:")
    assert "milter_default_action = tempfail" in " ".join(err.split())


def test_config_check_tells_every_mistake_and_exits_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("listner: []\nlimits: {sessions: many}\n")
    assert run(["config", "check", "-c", str(file)]) == 78
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith(f"{file}:1:1: unknown key `listner`")
    assert err[1:3] == ["  | listner: []", "  | ^"]
    assert err[3].startswith(f"{file}:2:20: `sessions` needs a whole number")
    assert err[4:] == ["  | limits: {sessions: many}", f"  | {' ' * 19}^"]


def test_config_check_tells_the_mistakes_of_the_policy_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\nname: p\ntreshold: {}\n")
    file = tmp_path / "g.yaml"
    file.write_text("policies: p.yaml\n")
    assert run(["config", "check", str(file)]) == 78
    assert f"{tmp_path}/p.yaml:3:1: unknown key `treshold`" in capsys.readouterr().err


def test_config_check_names_the_preset_that_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("policies: balancd\n")
    assert run(["config", "check", str(file)]) == 78
    assert capsys.readouterr().err.splitlines()[0].endswith(": did you mean `balanced`?")


def test_config_check_of_no_file_exits_78(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "/nonexistent/g.yaml"]) == 78
    assert capsys.readouterr().err == (
        "/nonexistent/g.yaml: cannot be read: No such file or directory\n"
    )


def test_config_show_is_a_configuration_that_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("hostname: mx.example.org\n")
    assert run(["config", "show", str(file)]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert Settings.model_validate(shown) == Settings(hostname="mx.example.org")


def test_serve_is_not_ended_by_a_hangup_before_it_can_hear_it(tmp_path: Path) -> None:
    path = tmp_path / "gatepost.yaml"
    os.mkfifo(path)
    with subprocess.Popen(
        [sys.executable, "-m", "milter", "serve", "-c", path], stderr=subprocess.DEVNULL
    ) as process:
        # Opened as soon as it reads, and told the rest once it was hung up on.
        with path.open("w") as file:
            process.send_signal(signal.SIGHUP)
            path.unlink()
            file.write("workerz: 1\n")
        assert process.wait(60) == 78


def test_worker_is_not_ended_by_a_hangup_before_it_is_ready() -> None:
    command = [sys.executable, "-m", "milter", "worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        os.write(process.stdin.fileno(), b"a")
        # Read as soon as it waits for what it is handed over.
        while fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
            assert process.poll() is None
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        # By itself, since nothing more came.
        assert process.wait(60) > 0


def test_config_show_hides_what_may_be_a_secret_in_an_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gatepost.yaml"
    file.write_text("traces: {endpoint: 'http://me:hush@127.0.0.1:4318/v1/traces?key=hush'}\n")
    assert run(["config", "show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "endpoint: http://***@127.0.0.1:4318/v1/traces?***\n" in shown
    assert "hush" not in shown


def test_config_schema_fits_what_show_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert run(["config", "show"]) == 0
    jsonschema.validate(yaml.safe_load(capsys.readouterr().out), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"listner": []}, schema)


def test_run_an_error_of_our_own_is_one_line_and_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("milter.cli.import_module", broken)
    assert run(["scan", str(tmp_path)]) == 3
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "gatepost: unexpected ZeroDivisionError: inside"
    assert len(err) == 2
    assert run(["--debug", "scan", str(tmp_path)]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_run_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = str(tmp_path / "missing" / "page.html")
    code = run(["policy", "diff", "monitor", "monitor", "--mail", "samples", "--html", page])
    assert code == 3
    assert f"gatepost: {page}: No such file or directory" in capsys.readouterr().err


def test_output_that_lacks_letters_shows_something_else(tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_bytes(
        "From: a@b.example\r\nSubject: \u4f60\u597d\r\n\r\nhello\r\n".encode()
    )
    done = subprocess.run(
        [sys.executable, "-m", "milter", "scan", "--offline", "--explain", tmp_path / "m.eml"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"??" in done.stdout


@pytest.mark.parametrize("given", ["environment", "option"])
def test_configuration_may_be_named_by_the_environment(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"environment": tmp_path / "env.yaml", "option": tmp_path / "option.yaml"}
    for path in names.values():
        path.write_text("workers: 1\n")
    monkeypatch.setenv("GATEPOST_CONFIG", str(names["environment"]))
    option = ["-c", str(names["option"])] if given == "option" else []
    assert run(["stats", *option]) == 78
    assert f"{names[given]} names no `store`" in capsys.readouterr().err


def test_configuration_that_is_checked_is_the_one_that_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "g.yaml").write_text("workerz: 1\n")
    (tmp_path / "other.yaml").write_text("workers: 1\n")
    monkeypatch.setenv("GATEPOST_CONFIG", str(tmp_path / "g.yaml"))

    assert run(["config", "check"]) == 78
    assert "g.yaml:1:1: unknown key `workerz`" in capsys.readouterr().err
    assert run(["config", "show"]) == 78
    assert run(["config", "check", str(tmp_path / "other.yaml")]) == 0


def test_mistakes_of_settings_files_and_policies_are_told_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "g.yaml").write_text(
        "listeners: [{name: a, bind: '127.0.0.1:10025', tls: {certificate: c.pem, key: k.pem}}]\n"
        "next_hop: {hosts: ['127.0.0.1:10025']}\n"
        "policies: policy.yaml\n"
    )
    (tmp_path / "policy.yaml").write_text("version: 1\nname: site\nweights: {SPF_FIAL: 1}\n")

    assert run(["config", "check", str(tmp_path / "g.yaml")]) == 78
    said = capsys.readouterr().err
    assert "g.yaml:2:20: 127.0.0.1:10025 is our own listener" in said
    assert "c.pem" in said
    assert "policy.yaml:3:11: there is no symbol SPF_FIAL" in said
