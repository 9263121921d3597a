"""The lines of README.md: known to Postfix, and a message goes through with them as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.ports import free_ports
from tests.support.postfix import assert_known_to_postfix, running_postfix
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from pathlib import Path

_PLACES: Final = ("before", "inside", "behind")
_GTUBE: Final = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
# Ports of the page in the order in which mail passes them.
_OUTSIDE, _FILTER, _AFTER = "25", "10025", "10026"


def _block(checkout: Path, file: str, place: str) -> str:
    """Return the block of the page for one file in one of the three places; empty if none."""
    text = (checkout / "README.md").read_text("utf-8")
    found = re.search(rf"^```\w*\n# {re.escape(file)}, {place}\b.*?\n(.*?)^```", text, re.M | re.S)
    return found[1] if found else ""


def _main(checkout: Path, place: str) -> dict[str, str]:
    lines = _block(checkout, "main.cf", place).splitlines()
    return {name.strip(): value.strip() for name, _, value in (s.partition("=") for s in lines)}


@pytest.mark.debian
@pytest.mark.parametrize("place", _PLACES)
def test_lines_for_postfix_are_known_to_postfix(checkout: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\n" + _block(checkout, "main.cf", place), "utf-8"
    )
    (tmp_path / "master.cf").write_text(_block(checkout, "master.cf", place), "utf-8")

    assert_known_to_postfix(tmp_path, "-n", "-M", "-P")


def test_nobody_is_told_to_install_what_an_index_has_under_our_name(checkout: Path) -> None:
    folders = ("milter", "policies", "reputation", "docs", "config", "deploy")
    files = [
        checkout / "README.md",
        *(file for name in folders for file in _texts(checkout / name)),
    ]

    told = [file for file in files if re.search(r"pip install '?gatepost", file.read_text("utf-8"))]

    assert told == []


def _texts(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.suffix in {".py", ".md", ".yaml"}]


class _Site:
    """The page's configuration of one place, with free ports in place of its own."""

    def __init__(self, checkout: Path, place: str) -> None:
        self._ports: dict[str, int] = dict(
            zip((_OUTSIDE, _FILTER, _AFTER), free_ports(3), strict=True)
        )
        self.settings: dict[str, Any] = yaml.safe_load(
            self._moved(_block(checkout, "gatepost.yaml", place).replace("0.0.0.0", "127.0.0.1"))
        )
        # Another mail server may run here, so nothing of its ports or of the name server is used.
        self.settings |= {
            "hostname": "mx.example.org",
            "workers": 1,
            "http": None,
            "dns": {"zone_file": "zone.yaml"},
        }
        self.files = {"zone.yaml": "names: {}\n"}
        if policy := _block(checkout, "policy.yaml", place):
            self.files["policy.yaml"] = policy
        self.main = {k: self._moved(v) for k, v in _main(checkout, place).items()}
        self.services = self._services(_block(checkout, "master.cf", place))
        if place == "behind":
            self.services.append(f"127.0.0.1:{self._ports[_OUTSIDE]} inet n - - - - smtpd")

    @property
    def port(self) -> int:
        """Where mail from outside comes in."""
        return self._ports[_OUTSIDE]

    def _moved(self, text: str) -> str:
        return re.sub(r":(25|10025|10026)\b", lambda m: f":{self._ports[m[1]]}", text)

    def _services(self, text: str) -> list[str]:
        outside = f"127.0.0.1:{self.port} inet"
        text = re.sub(r"^smtp +inet", outside, self._moved(text), flags=re.MULTILINE)
        return [text.rstrip("\n")]


@pytest.mark.debian
@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "code", "action"),
    [
        pytest.param("before", 550, None, id="before-refuses-in-the-session"),
        pytest.param("inside", 550, None, id="inside-refuses-in-the-session"),
        pytest.param("behind", 250, b"quarantine", id="behind-can-only-mark"),
    ],
)
def test_lines_of_the_page_carry_mail_and_verdicts(
    checkout: Path, place: str, code: int, action: bytes | None
) -> None:
    site = _Site(checkout, place)
    with running_sink() as sink, running_gatepost(site.settings, site.files):
        main = {"relayhost": f"[127.0.0.1]:{sink.port}", "relay_domains": "example.org"}
        with running_postfix({**main, **site.main}, site.services):
            wanted = send_message(site.port, Envelope(), _message("Hello"))
            (first,) = sink.wait_for(1)
            spam = send_message(site.port, Envelope(), _message(_GTUBE))
            arrived = sink.wait_for(2) if action else sink.messages

    assert (wanted.code, spam.code) == (250, code)
    assert first.content.endswith(_message("Hello"))
    assert b"X-Gatepost-Action: pass\r\n" in first.content
    assert [_action(each.content) for each in arrived[1:]] == ([action] if action else [])


def _message(words: str) -> bytes:
    return (
        "From: sender@example.net\r\nTo: user@example.org\r\nSubject: Test\r\n"
        "Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: <test@example.net>\r\n"
        f"\r\n{words}\r\n"
    ).encode()


def _action(content: bytes) -> bytes:
    found = re.search(rb"^X-Gatepost-Action: (\w+)\r$", content, re.MULTILINE)
    return found[1] if found else b""


def test_rows_of_the_page_are_samples_with_their_expected_verdicts(checkout: Path) -> None:
    rows = re.findall(
        r"^│ ([a-z-]+\.eml) +│ [^│]+ │ (\w+) ", (checkout / "README.md").read_text("utf-8"), re.M
    )
    index = yaml.safe_load((checkout / "samples/index.yaml").read_text("utf-8"))

    expected = {sample["file"]: sample["expect"] for sample in index["samples"]}

    assert len(rows) == 5
    assert {name: expected[name] for name, _ in rows} == dict(rows)


def test_story_of_one_message_is_what_scan_prints(checkout: Path) -> None:
    text = (checkout / "README.md").read_text("utf-8")
    found = re.search(r"^\$ gatepost (scan .*)\n((?:.*\n)*?)  \.\.\.\n", text, re.MULTILINE)
    assert found is not None

    done = subprocess.run(
        [sys.executable, "-m", "milter", *found[1].split()],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.startswith(found[2])


@pytest.mark.parametrize(
    "page", ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/policy.md"]
)
def test_files_that_a_page_names_exist(checkout: Path, page: str) -> None:
    text = (checkout / page).read_text("utf-8")
    named = set(
        re.findall(
            r"(?<![\w/.-])((?:config|deploy|docs|milter|policies|reputation|requirements|samples)"
            r"/[\w./-]*\w)",
            text,
        )
    )

    # The example of CONTRIBUTING.md is a file that does not exist yet.
    missing = sorted(
        name for name in named - {"milter/checks/shouting.py"} if not (checkout / name).exists()
    )

    assert missing == []
