"""`gatepost policy import-spamassassin`: rule files of SpamAssassin as a policy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import yaml

from milter.cli import EXIT_FINDING, EXIT_FINE, EXIT_INPUT
from policies.chain import PRESETS
from policies.loader import load_symbols
from policies.mistakes import near
from policies.spamassassin.source import RuleSource
from policies.spamassassin.translate import Pack, translate

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH: Final = 110
_MOST_INCLUDED: Final = 200


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--name", default="spamassassin", show_default=True, help="Name of the policy.")
@click.option(
    "--extends", default="balanced", show_default=True, help="What it builds on; empty: nothing."
)
@click.option(
    "--scores",
    type=click.IntRange(0, 3),
    default=1,
    show_default=True,
    help="Which of four scores: 0 alone, 1 with network tests, 2 with Bayes, 3 with both.",
)
def import_spamassassin(*, files: tuple[str, ...], name: str, extends: str, scores: int) -> int:
    """Print the rules in FILE... (header, body, rawbody, uri, full, meta) as a policy.

    Rules that do not fit are told on the standard error, each with file, line and reason. Exit
    code: 0 something was imported, 1 nothing was, 3 a file cannot be read.
    """
    if extends and extends not in PRESETS and not extends.endswith((".yaml", ".yml")):
        what = f"there is no preset `{extends}`, and a file ends in .yaml{near(extends, PRESETS)}"
        click.echo(f"--extends: {what}", err=True)
        return EXIT_INPUT
    source = RuleSource()
    for file in files:
        try:
            source.read(file, Path(file).read_text("utf-8", errors="replace"))
        except OSError as err:
            click.echo(f"{file}: {err.strerror}; name a file with rules", err=True)
            return EXIT_INPUT
        _read_included(source, {Path(file).resolve()})
    pack = translate(source, frozenset(load_symbols()), scores)
    click.echo(_written(pack, name, extends), nl=False)
    for line in _report(source, pack):
        click.echo(line, err=True)
    return EXIT_FINE if pack.imported else EXIT_FINDING


def _read_included(source: RuleSource, read: set[Path]) -> None:
    """Read the files that `include` names, relative to the file that says so, each once."""
    while source.includes:
        place, named = source.includes.pop(0)
        file = Path(place.file).parent / named
        if file.resolve() in read or len(read) > _MOST_INCLUDED:
            source.unread.append(
                (place, f"`include {named}` is left out: read already, or too many")
            )
            continue
        read.add(file.resolve())
        try:
            source.read(str(file), file.read_text("utf-8", errors="replace"))
        except OSError as err:
            source.unread.append((place, f"`include {named}`: {err.strerror}"))


def _written(pack: Pack, name: str, extends: str) -> str:
    policy: dict[str, Any] = {"version": 1, "name": name}
    if extends:
        policy["extends"] = extends
    if pack.patterns:
        policy["patterns"] = pack.patterns
    if pack.rules:
        policy["rules"] = pack.rules
    head = "# Rules of SpamAssassin, made by `gatepost policy import-spamassassin`.\n"
    return head + yaml.safe_dump(policy, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _report(source: RuleSource, pack: Pack) -> Iterable[str]:
    """Yield what is not imported, and why, then the sums."""
    told = [(one.place, f"{one.name}: {one.why}") for one in pack.refused] + source.unread
    for name in sorted(source.scores.keys() - source.rules.keys()):
        what = f"a score of {name[:80]}, which is no rule in these files: see `weights` of a policy"
        told.append((source.scored[name], what))
    for place, what in sorted(told, key=lambda each: (each[0].file, each[0].line)):
        yield f"{place.file}:{place.line}: {what}"
    by_type = Counter(source.rules[name].type for name in pack.imported)
    kinds = ", ".join(f"{count} {kind}" for kind, count in by_type.most_common())
    yield (
        f"{len(pack.imported)} rules imported ({kinds or 'none'}), {len(pack.refused)} refused,"
        f" {len(pack.switched_off)} switched off (score 0), {len(pack.unused)} parts unused"
    )
