#!/usr/bin/env python
"""Writes the pages that are made: settings, policy keys, symbols, facts, metrics, Recommendations.

Descriptions live beside what they describe; here they only become tables. `--check` writes nothing
and ends with 1 when a page is not what the code says.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from milter import __version__
from milter.http.catalogue import OF_SUPERVISOR, OF_WORKERS
from milter.http.openapi import document
from milter.settings.model import Settings
from milter.telemetry.metric_table import METRICS, PREFIX
from policies.facts import FACTS, FactType
from policies.loader import PACKS, load_pack, load_symbols
from policies.schema import PolicyFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from policies.facts import FactSpec, FieldSpec
    from policies.symbols import SymbolSpec

_DOCS: Final = Path(__file__).resolve().parent
_NOTICE: Final = "<!-- Made by docs/generate.py; `make docs` writes it again. -->"
# In a page that people write, everything behind this line is made.
_MARK: Final = "<!-- What follows is made by docs/generate.py; `make docs` writes it again. -->"
_SETTINGS: Final = f"""\
# Settings of the daemon

{_NOTICE}

The file is YAML; `config/gatepost.yaml` is the commented example. Unknown keys, keys that stand
twice and values of the wrong type are mistakes, shown with file, line and column. Relative paths
start at the file that names them. `gatepost config check` tells all mistakes at once, those of the
file's form before others, `gatepost config show` the settings in effect, `gatepost config schema`
the JSON Schema.

"""
_SYMBOLS: Final = f"""\
# Symbols

{_NOTICE}

A symbol is one piece of evidence. Points are those of the shipped table, which the presets count; a
policy changes them under `weights`, and symbols of its own lists and patterns come beside them. 0
points: seen and logged, not counted. Class is what the symbol looks at, stage when it is known.
Code is the enhanced status code of a refusal that it decides, 5.7.1 where none is given.

"""
_RULES: Final = f"""\
# Rules of the shipped packs

{_NOTICE}

What the presets look for in subject and text, by pack; each rule stands in `policies/rules` with a
message that it finds and one like it that it does not. Points are those under `balanced`; a group
bounds what all of them add. docs/policy.md says how a site chooses packs and adds its own.

"""
_METRICS: Final = f"""\
# Metrics

{_NOTICE}

`GET /metrics`, in the text format of Prometheus, summed over all workers. Durations are in seconds.
A worker shows its numbers four times a second, so a scrape may miss the last quarter of a second; a
worker that is killed loses as much of its counts, one that ends in order loses nothing.
Labels come from closed sets: never an address, a domain or a subject.

"""
_FACTS: Final = f"""\
# Facts

{_NOTICE}

What rules can read of a message, beside its symbols. A fact that nobody found is empty: an empty
text, 0, false, an empty list, a record of empty fields; so `dmarc.result == "pass"` is false where
DMARC was not asked, never an error. A field is written behind a dot: `connection.ip`; a list is
looked through with `exists`: `attachments.exists(a, a.extension == "exe")`. Rules see 1,000 items
of a list and 4,096 characters of a text at most. Stage is when a fact is known.

"""
_X1240: Final = f"""\
# Gatepost beside the Recommendations of ITU-T on spam

{_NOTICE}

Gatepost is organised after these Recommendations; they are guidance. Of most of them only contents
pages, scopes and summaries are public, so topics are told in our words. What serves a clause is
named as in `docs/flow.md` (checks), `docs/symbols.md`, `docs/settings.md` and `docs/policy.md`; the
tests show it. The table is `docs/x1240.tsv`.

"""
_NAMED_AS: Final = {
    "check": "check `{}`",
    "symbol": "`{}`",
    "setting": "setting `{}`",
    "policy": "policy key `{}`",
    "action": "action `{}`",
    "command": "`gatepost {}`",
    "doc": "`{}`",
}
Schema = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or compare them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only tell which pages are out of date"
    )
    check: bool = parser.parse_args(arguments).check
    stale = {path: text for path, text in pages(_DOCS).items() if not _holds(path, text)}
    for path, text in stale.items():
        if check:
            sys.stderr.write(f"{path} is out of date: run `make docs`\n")
        else:
            path.write_text(text, "utf-8")
            sys.stdout.write(f"{path} written\n")
    return 1 if check and stale else 0


def pages(folder: Path) -> dict[Path, str]:
    """Return the text of every page that is made, by its path."""
    policy = folder / "policy.md"
    return {
        folder / "settings.md": settings_page(),
        folder / "symbols.md": symbols_page(load_symbols()),
        folder / "rules.md": rules_page(),
        folder / "facts.md": facts_page(FACTS),
        folder / "metrics.md": metrics_page(),
        folder / "openapi.json": openapi_page(),
        folder / "x1240.md": x1240_page(folder / "x1240.tsv"),
        policy: policy.read_text("utf-8").partition(_MARK)[0] + f"{_MARK}\n\n{policy_keys()}",
    }


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def settings_page() -> str:
    """Return the page of the daemon's settings."""
    return _SETTINGS + _tables(Settings)


def policy_keys() -> str:
    """Return the tables of all keys of a policy."""
    return "## Every key\n\n" + _tables(PolicyFile, level=3)


def symbols_page(symbols: Mapping[str, SymbolSpec]) -> str:
    """Return the page of the shipped symbols."""
    rows = (
        (
            f"`{spec.name}`",
            f"{spec.weight:g}",
            spec.group or "-",
            spec.class_,
            spec.kind or "-",
            spec.stage,
            spec.enhanced or "-",
            spec.describe,
        )
        for spec in sorted(symbols.values(), key=lambda spec: spec.name)
    )
    head = ("symbol", "points", "group", "class", "kind", "stage", "code", "what was seen")
    return _SYMBOLS + _table(head, rows)


def rules_page() -> str:
    """Return the page of the rules of all shipped packs."""
    head = ("symbol", "points", "class", "kind", "what was seen", "where it is known from")
    sections = []
    for name in PACKS:
        pack = load_pack(name)
        rows = (
            (f"`{rule.id}`", f"{rule.weight:g}", class_, kind, rule.describe, rule.source)
            for class_, kind, rule in pack.rules()
        )
        sections.append(f"## {name}: {pack.about}\n\n{_table(head, rows)}")
    return _RULES + "\n".join(sections)


def facts_page(facts: Iterable[FactSpec]) -> str:
    """Return the page of the facts that rules can read."""
    rows: list[tuple[str, ...]] = []
    for fact in facts:
        example = f"`{json.dumps(fact.example)}`"
        rows.append((f"`{fact.name}`", fact.type.value, fact.stage, fact.words, example))
        rows += _field_rows(fact.name, fact.type, fact.fields)
    return _FACTS + _table(("fact", "type", "stage", "what", "example"), rows)


def _field_rows(
    path: str, kind: FactType, fields: Iterable[FieldSpec]
) -> Iterator[tuple[str, ...]]:
    of_each = "[]" if kind is FactType.RECORDS else ""
    for field in fields:
        inner = f"{path}{of_each}.{field.name}"
        yield f"`{inner}`", field.type.value, "", field.words, ""
        yield from _field_rows(inner, field.type, field.fields)


def openapi_page() -> str:
    """Return the document of the HTTP port."""
    shown = document((*OF_SUPERVISOR, *OF_WORKERS), __version__)
    return json.dumps(shown, indent=1, ensure_ascii=True) + "\n"


def metrics_page() -> str:
    """Return the page of the metrics."""
    rows = (
        (
            f"`{PREFIX}{spec.name}`",
            spec.kind,
            ", ".join(f"`{label}`" for label in spec.labels) or "-",
            spec.words,
        )
        for spec in sorted(METRICS, key=lambda spec: spec.name)
    )
    return _METRICS + _table(("metric", "type", "labels", "what"), rows)


def x1240_page(table: Path) -> str:
    """Return the page of the Recommendations, a section for each."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    text = []
    for name in dict.fromkeys(row["recommendation"] for row in rows):
        own = (
            (
                row["clause"],
                row["topic"],
                _served(row["served"]),
                row["note"],
                "<br>".join(f"`{test}`" for test in row["tests"].split()) or "-",
            )
            for row in rows
            if row["recommendation"] == name
        )
        head = ("clause", "topic", "served by", "how, or why not", "shown by")
        text.append(f"## {name}\n\n{_table(head, own)}")
    return _X1240 + "\n".join(text)


def _served(named: str) -> str:
    things = (thing.partition(":") for thing in named.split())
    words = [
        _NAMED_AS[kind].format(name.replace("-", " ") if kind == "command" else name)
        for kind, _, name in things
    ]
    return ", ".join(words) or "not here"


def _tables(model: type[BaseModel], level: int = 2) -> str:
    """Return one table a section of `model`, outer sections first."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    definitions: Schema = schema.get("$defs", {})
    text = []
    for path, section in _sections(schema, definitions, "", set()):
        title = f"`{path}`" if path else "Top level"
        required = set(section.get("required", ()))
        rows = (
            (
                f"`{key}`",
                _type(field, definitions),
                "needed" if key in required else _default(field),
                field.get("description", ""),
            )
            for key, field in section["properties"].items()
        )
        text.append(f"{'#' * level} {title}\n\n{_about(section)}")
        text.append(_table(("key", "value", "default", "what"), rows))
    return "\n".join(text)


def _about(section: Schema) -> str:
    about = section.get("description", "")
    return f"{about}\n" if about else ""


def _sections(
    section: Schema, definitions: Schema, path: str, shown: set[str]
) -> Iterator[tuple[str, Schema]]:
    """Yield the section and those below it, each once, with their paths: `listeners[].tls`."""
    yield path, section
    for key, field in section["properties"].items():
        for suffix, name in _references(field):
            below = definitions[name]
            if "properties" in below and name not in shown:
                shown.add(name)
                yield from _sections(
                    below, definitions, f"{path}.{key}".lstrip(".") + suffix, shown
                )


def _references(field: Schema, suffix: str = "") -> Iterator[tuple[str, str]]:
    """Yield what a field refers to and what its path ends in: `[]` in lists, `.*` for names."""
    if "$ref" in field:
        yield suffix, field["$ref"].rpartition("/")[2]
    for option in (*field.get("anyOf", ()), *field.get("allOf", ())):
        yield from _references(option, suffix)
    if isinstance(field.get("items"), dict):
        yield from _references(field["items"], f"{suffix}[]")
    for named in _named(field):
        yield from _references(named, f"{suffix}.*")


def _named(field: Schema) -> list[Schema]:
    """Return what stands behind each name of a mapping whose names are free."""
    if isinstance(field.get("additionalProperties"), dict):
        return [field["additionalProperties"]]
    return list(field.get("patternProperties", {}).values())


def _type(field: Schema, definitions: Schema) -> str:
    """Return what a value may be, in words."""
    if "$ref" in field:
        target = definitions[field["$ref"].rpartition("/")[2]]
        return "section" if "properties" in target else _type(target, definitions)
    if "anyOf" in field:
        options = dict.fromkeys(_type(option, definitions) for option in field["anyOf"])
        return " or ".join(options)
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    return _plain_type(field, definitions)


def _plain_type(field: Schema, definitions: Schema) -> str:
    kind = field.get("type", "")
    if kind == "array":
        return f"list of {_type(field['items'], definitions)}"
    if kind == "object":
        return f"names, each with {_type(_named(field)[0], definitions)}"
    if kind in {"integer", "number"}:
        return {"integer": "whole number", "number": "number"}[kind] + _range(field)
    if field.get("format", "").endswith("network"):
        return "network"
    return {"string": "text", "boolean": "true or false", "null": "null"}[kind]


def _range(field: Schema) -> str:
    above, least = field.get("exclusiveMinimum"), field.get("minimum")
    most = field.get("maximum")
    parts = [f"above {above:g}"] if above is not None else []
    parts += [f"from {_number(least)}"] if least is not None else []
    parts += [f"to {_number(most)}"] if most is not None else []
    return f", {' '.join(parts)}" if parts else ""


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, "", [], {}):
        return "-"
    if isinstance(default, dict | list):
        return "as below" if _references_any(field) else ", ".join(f"`{item}`" for item in default)
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{_number(default) if isinstance(default, int | float) else default}`"


def _references_any(field: Schema) -> bool:
    return next(_references(field), None) is not None


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
