"""The unit file: parsed by us, and judged by systemd where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from milter.settings import Limits

_UNIT: Final = Path(__file__).resolve().parents[3] / "deploy" / "systemd" / "gatepost.service"
_HARDENING: Final = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "DynamicUser": "yes",
    "CapabilityBoundingSet": "",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures": "native",
}
# Exposure in tenths, as `systemd-analyze security` counts it: below 2 is better than most services.
_MAX_EXPOSURE: Final = "20"


def _unit() -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in _UNIT.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            sections[section][name].append(value)
    return sections


def _service(name: str) -> list[str]:
    return _unit()["Service"][name]


@pytest.mark.parametrize(("name", "value"), _HARDENING.items())
def test_unit_is_hardened(name: str, value: str) -> None:
    assert _service(name) == [value]


def test_unit_waits_longer_than_the_daemon_drains() -> None:
    (stop_s,) = _service("TimeoutStopSec")
    assert int(stop_s) >= Limits().drain_s + 15


def test_unit_speaks_our_protocol_with_the_manager() -> None:
    assert _service("Type") == ["notify"]
    assert _service("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert _service("KillMode") == ["mixed"]
    assert _service("RestartPreventExitStatus") == ["78"]
    assert int(_service("WatchdogSec")[0]) >= 10


def test_unit_lets_sockets_be_given_to_a_group() -> None:
    filters = _service("SystemCallFilter")
    assert filters.index("@chown") > filters.index("~@privileged @resources")
    assert _service("RuntimeDirectoryMode") == ["0755"]


def test_unit_has_no_section_or_key_that_is_misspelt() -> None:
    assert set(_unit()) == {"Unit", "Service", "Install"}
    analyze = _analyze()
    seen = subprocess.run(
        [analyze, "verify", str(_UNIT)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (seen.returncode, seen.stderr) == (0, "")


def test_unit_is_little_exposed() -> None:
    seen = subprocess.run(
        [_analyze(), "security", "--offline=true", f"--threshold={_MAX_EXPOSURE}", str(_UNIT)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert seen.returncode == 0, seen.stdout[-200:]


def _analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found
