"""`gatepost policy lint`: mistakes and traps, each with its line and a caret under it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milter.checks.catalogue import DIRECTIONS
from milter.cli import EXIT_CONFIGURATION, EXIT_FINDING, EXIT_FINE
from milter.cli.lint_sarif import sarif
from milter.cli.places import with_line
from policies.errors import ConfigErrors
from policies.lint import Level, Remark, Surroundings
from policies.lint import lint as lint_policy
from policies.loader import FileSource, LoadedPolicy, read_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

_MISTAKE: Final = "mistake"


@click.command()
@click.argument("path", metavar="PATH")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
)
@click.option("--strict", is_flag=True, help="Notes count as findings, too.")
def lint(*, path: str, form: str, strict: bool) -> int:
    """Check the policy at PATH: a file, a folder with a policy.yaml, or a preset.

    Exit code: 0 nothing to say but notes, 1 warnings, 78 mistakes for which it would not be loaded.
    """
    source = FileSource()
    loaded: LoadedPolicy | None = None
    try:
        loaded = read_policy(source, path)
        today = datetime.now(UTC).date().isoformat()
        around = Surroundings(DIRECTIONS.keys(), today, lambda path: Path(path).is_file())
        remarks = lint_policy(loaded, around)
    except ConfigErrors as err:
        remarks = [
            Remark(each.path, each.line, each.column, Level.ERROR, _MISTAKE, each.what)
            for each in err.errors
        ]
    click.echo(_FORMATS[form](remarks, loaded, source), nl=False)
    return _code(remarks, strict=strict)


def _code(remarks: Sequence[Remark], *, strict: bool) -> int:
    levels = {remark.level for remark in remarks}
    if Level.ERROR in levels:
        return EXIT_CONFIGURATION
    told = Level.WARNING in levels or (strict and Level.NOTE in levels)
    return EXIT_FINDING if told else EXIT_FINE


def _text(remarks: Sequence[Remark], loaded: LoadedPolicy | None, source: FileSource) -> str:
    lines = []
    for remark in remarks:
        what = f"{remark.level.value}: {remark.what} [{remark.code}]"
        lines.append(with_line(source, remark.path, remark.line, remark.column, what))
    if loaded is not None:
        lines += _stages(loaded)
    told = f"{len(remarks)} to look at" if remarks else "nothing to say"
    return "\n".join([*lines, told, ""])


def _stages(loaded: LoadedPolicy) -> list[str]:
    """Return at which stage each rule can be evaluated; packs and presets are left out."""
    rules = loaded.policies.plan.rules
    if rules is None:
        return []
    return [
        f"{rule.id}: evaluated at stage {rule.stage}{', early' if rule.early else ''}"
        for name in loaded.own("rules")
        for rule in (rules.by_id[name],)
    ]


def _json(remarks: Sequence[Remark], loaded: LoadedPolicy | None, source: FileSource) -> str:
    rows = [
        {
            "path": remark.path,
            "line": remark.line,
            "column": remark.column,
            "level": remark.level.value,
            "code": remark.code,
            "what": remark.what,
        }
        for remark in remarks
    ]
    return json.dumps(rows, indent=2) + "\n"


def _sarif(remarks: Sequence[Remark], loaded: LoadedPolicy | None, source: FileSource) -> str:
    return sarif(remarks)


_FORMATS: Final = {"text": _text, "json": _json, "sarif": _sarif}
