"""The alert rules, evaluated by promtool from Debian's package prometheus."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from milter.telemetry.metric_table import METRICS, PREFIX
from tests.support.debian import need_program

if TYPE_CHECKING:
    from pathlib import Path


def promtool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = need_program("promtool")
    return subprocess.run(
        [str(program.path), *arguments],
        cwd=folder,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.debian
@pytest.mark.parametrize("what", ["classifier", "dns-lists", "mail", "reload", "store"])
def test_rules_fire_when_it_fails_and_stop_when_it_is_back(checkout: Path, what: str) -> None:
    done = promtool(checkout / "deploy/prometheus", "test", "rules", f"{what}.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.debian
def test_rules_that_are_changed_fail_their_test(checkout: Path, tmp_path: Path) -> None:
    for name in ("dns-lists.rules.yml", "dns-lists.test.yml"):
        text = (checkout / "deploy/prometheus" / name).read_text()
        (tmp_path / name).write_text(text.replace("(gatepost_dns_list_up) == 0", "(up) == 0"))
    done = promtool(tmp_path, "test", "rules", "dns-lists.test.yml")
    assert done.returncode != 0


@pytest.mark.parametrize("what", ["classifier", "dns-lists", "mail", "reload", "store"])
def test_rules_name_metrics_that_there_are(checkout: Path, what: str) -> None:
    rules = yaml.safe_load((checkout / f"deploy/prometheus/{what}.rules.yml").read_text())
    named = {
        name
        for group in rules["groups"]
        for rule in group["rules"]
        for name in metrics_of(rule["expr"])
    }
    assert named
    assert named <= {PREFIX + spec.name for spec in METRICS}


def test_every_alert_has_a_page_that_says_what_to_do(checkout: Path) -> None:
    alerts = {
        rule["alert"]
        for file in (checkout / "deploy/prometheus").glob("*.rules.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    pages = {file.stem: file.read_text() for file in (checkout / "docs/runbooks").glob("*.md")}

    assert set(pages) == alerts
    for page in pages.values():
        assert re.findall("^## (.+)$", page, re.MULTILINE) == [
            "What it means",
            "What to do",
            "How it ends",
        ]


def test_every_panel_of_the_dashboard_names_metrics_that_there_are(checkout: Path) -> None:
    dashboard = json.loads((checkout / "deploy/grafana/gatepost.json").read_text())

    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            named = metrics_of(target["expr"])
            assert named, panel["title"]
            assert named <= {PREFIX + spec.name for spec in METRICS}, panel["title"]


def metrics_of(expression: str) -> set[str]:
    """Return the metrics in an expression; those of recording rules have a colon before them."""
    known = {PREFIX + spec.name for spec in METRICS}
    named = re.findall(rf"(?<![:\w]){PREFIX}\w+", expression)
    # A histogram is asked for by its parts.
    parts = {name: re.sub("_(bucket|sum|count)$", "", name) for name in named}
    return {name if name in known else parts[name] for name in named}
