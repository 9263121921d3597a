"""Typical mistakes, each shown to the real daemon: told at its place, and nothing started."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GOOD = """\
hostname: mx.example.org
listeners:
  - name: inbound
    bind: 127.0.0.1:{port}
    clients: [127.0.0.0/8]
next_hop: {{hosts: ["127.0.0.1:{hop}"]}}
http: {{bind: "127.0.0.1:{http}"}}
workers: 1
"""
POLICY = "version: 1\nname: site\nextends: balanced\n"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A change to a good configuration, and where and how it must be told.

    Attributes:
        old: Text of the good file that is replaced.
        new: What stands there instead.
        at: `file:line:column` of the message.
        words: A part of the message.
        files: Further files beside the configuration.
    """

    old: str
    new: str
    at: str
    words: str
    files: Mapping[str, str] = field(default_factory=dict)


def policy(text: str, at: str, words: str) -> Mistake:
    """Return a mistake in a policy file."""
    return Mistake(
        "workers: 1", "policies: policy.yaml", f"policy.yaml:{at}", words, {"policy.yaml": text}
    )


MISTAKES = {
    "unknown key": Mistake("workers: 1", "wrokers: 1", "gatepost.yaml:8:1", "workers"),
    "unknown key inside": Mistake(
        "clients: [", "client: [", "gatepost.yaml:5:5", "did you mean `clients`"
    ),
    "wrong type": Mistake("workers: 1", "workers: many", "gatepost.yaml:8:10", "many"),
    "number out of range": Mistake("workers: 1", "workers: 0", "gatepost.yaml:8:10", "1"),
    "text where a list belongs": Mistake(
        "[127.0.0.0/8]", "127.0.0.0/8", "gatepost.yaml:5:14", "list"
    ),
    "bad network": Mistake("127.0.0.0/8", "127.0.0.0/33", "gatepost.yaml:5:15", "127.0.0.0/33"),
    "address without port": Mistake(
        "bind: 127.0.0.1:{port}", "bind: 127.0.0.1", "gatepost.yaml:4:11", "port"
    ),
    "duplicate key": Mistake("workers: 1", "workers: 1\nworkers: 2", "gatepost.yaml:9:1", "twice"),
    "missing key": Mistake("name: inbound\n    bind", "bind", "gatepost.yaml:3:5", "name"),
    "leading zero": Mistake("workers: 1", "workers: 012", "gatepost.yaml:8:10", "quotes"),
    "tab": Mistake("workers: 1", "\tworkers: 1", "gatepost.yaml:8:1", "tab"),
    "unclosed bracket": Mistake("/8]", "/8", "gatepost.yaml:5:14", "not closed"),
    "open relay": Mistake(
        "clients: [127.0.0.0/8]",
        "direction: outbound",
        "gatepost.yaml:3:5",
        "clients",
    ),
    "inbound for everybody without domains": Mistake(
        "bind: 127.0.0.1:{port}\n    clients: [127.0.0.0/8]",
        "bind: 0.0.0.0:{port}",
        "gatepost.yaml:3:5",
        "recipient_domains",
    ),
    "certificate that is not there": Mistake(
        "clients: [127.0.0.0/8]",
        "clients: [127.0.0.0/8]\n    tls: {{certificate: none.pem, key: none.key}}",
        "gatepost.yaml:6:24",
        "none.pem",
    ),
    "certificate that is none": Mistake(
        "clients: [127.0.0.0/8]",
        "clients: [127.0.0.0/8]\n    tls: {{certificate: policy.yaml, key: policy.yaml}}",
        "gatepost.yaml:6:24",
        "certificate",
        {"policy.yaml": POLICY},
    ),
    "policy file that is not there": Mistake(
        "workers: 1", "policies: nowhere.yaml", "gatepost.yaml:8:11", "nowhere.yaml"
    ),
    "port taken": Mistake("{port}", "{taken}", "gatepost.yaml:4:11", "taken"),
    "unknown preset": policy(POLICY.replace("balanced", "balnced"), "3:10", "balanced"),
    "threshold misspelt": policy(
        POLICY + "thresholds: {rejct: 9}\n", "4:14", "did you mean `reject`"
    ),
    "pattern that cannot be linear": policy(
        POLICY
        + "patterns:\n  - {id: LOOK, in: subject, match: '(?<=a)b', weight: 1, class: content,\n"
        + "     kind: fraud, describe: x}\n",
        "5:36",
        "look",
    ),
    "list without codes": policy(
        POLICY + "dns_lists:\n  - {zone: bl.example, asks: client_ip, effect: block}\n",
        "5:5",
        "codes",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_daemon_tells_the_place_of_a_mistake_and_does_not_start(
    mistake: Mistake, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, hop, http = free_ports(3)
        values = {"port": port, "hop": hop, "http": http, "taken": taken.getsockname()[1]}
        assert mistake.old in GOOD
        text = GOOD.replace(mistake.old, mistake.new, 1).format(**values)
        (tmp_path / "gatepost.yaml").write_text(text, "utf-8")
        for name, content in mistake.files.items():
            (tmp_path / name).write_text(content, "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "milter", "serve", "-c", "gatepost.yaml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    # Where only listening shows the mistake, the log of the start stands before it.
    told = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    # Under each mistake stands its line with a caret.
    said = [line for line in told if not line.startswith("  | ")]
    assert done.returncode == 78, done.stderr
    assert 1 <= len(said) <= 2, done.stderr
    assert re.match(rf"(\S*/)?{re.escape(mistake.at)}: ", said[0]), said
    assert mistake.words in " ".join(said)
    for unused in (port, http):
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", unused)) != 0
