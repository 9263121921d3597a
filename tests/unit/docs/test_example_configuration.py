"""The commented example holds every setting, and what it calls a default is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from milter.settings.model import Listener, Settings
from milter.settings.read import read_settings
from policies.loader import FileSource, load_document, load_policies
from policies.select import Context
from policies.verdict import Action

if TYPE_CHECKING:
    from pathlib import Path

    from policies.positions import Positions

# A line of the example that is switched off: the `#` stands right before a key or an item, while
# words of a comment stand one space after it.
_SWITCHED_OFF = re.compile(r"^(\s*)#(?! \S)", re.MULTILINE)


def test_example_loads_as_settings(checkout: Path) -> None:
    path = checkout / "config" / "gatepost.yaml"

    settings = read_settings(FileSource(), str(path))

    assert settings.listeners[0].bind == "127.0.0.1:10025"
    assert settings.policies == f"{path.parent}/policy/"


def test_example_with_every_line_switched_on_loads(checkout: Path, tmp_path: Path) -> None:
    whole = _switched_on(checkout, tmp_path)

    settings = read_settings(FileSource(), str(whole))

    names = [listener.name for listener in settings.listeners]
    assert names == ["inbound", "outbound", "milter", "spamd"]
    assert settings.store == "sqlite:/var/lib/gatepost/gatepost.db"


def test_example_names_every_setting(checkout: Path, tmp_path: Path) -> None:
    values, _ = load_document(FileSource(), str(_switched_on(checkout, tmp_path)))

    missing = [path for path in _fields(Settings()) if not _stands(values, path)]

    assert missing == []


def test_example_defaults_are_the_defaults(checkout: Path) -> None:
    path = checkout / "config" / "gatepost.yaml"
    values, positions = load_document(FileSource(), str(path))
    said = _lines_called_default(path.read_text("utf-8"))
    assert isinstance(values, dict)
    written = {
        line: (loc, value) for loc, value, line in _scalars(values, positions) if line in said
    }

    wrong = {
        line: (loc, value, _default(loc))
        for line, (loc, value) in written.items()
        if value != _default(loc)
    }

    assert set(written) == said
    assert wrong == {}


def test_example_calls_every_default_one(checkout: Path) -> None:
    path = checkout / "config" / "gatepost.yaml"
    values, positions = load_document(FileSource(), str(path))
    said = _lines_called_default(path.read_text("utf-8"))
    assert isinstance(values, dict)

    unsaid = [
        loc
        for loc, value, line in _scalars(values, positions)
        if line not in said and value == _default(loc)
    ]

    assert unsaid == []


def _switched_on(checkout: Path, folder: Path) -> Path:
    text = (checkout / "config" / "gatepost.yaml").read_text("utf-8")
    whole = folder / "gatepost.yaml"
    # Of two settings that exclude each other the example shows the one that is the default.
    text = _SWITCHED_OFF.sub(r"\1", text).replace("tls: none ", "tls: verify ")
    whole.write_text(text, "utf-8")
    return whole


def _lines_called_default(text: str) -> set[int]:
    lines = enumerate(text.splitlines(), start=1)
    return {number for number, line in lines if re.search(r"\S\s+# default\b", line)}


def _fields(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting; a listener's stand below `listeners`."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name == "listeners":
            yield from _fields(value[0], (*path, name))
        elif isinstance(value, BaseModel):
            yield from _fields(value, (*path, name))
        else:
            yield (*path, name)


def _stands(values: Any, path: tuple[str, ...]) -> bool:
    if isinstance(values, list):
        return any(_stands(item, path) for item in values)
    if not path:
        return True
    return isinstance(values, Mapping) and path[0] in values and _stands(values[path[0]], path[1:])


def _scalars(
    values: Any, positions: Positions, loc: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Any, int]]:
    """Yield path, value and line of every setting that is no section."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _scalars(value, positions, (*loc, key))
    elif isinstance(values, list) and values and isinstance(values[0], Mapping):
        for index, value in enumerate(values):
            yield from _scalars(value, positions, (*loc, index))
    else:
        yield loc, values, positions.key(loc)[0]


def _default(loc: tuple[str | int, ...]) -> Any:
    """Return the default of the setting at `loc` in the form that YAML gives it."""
    found: Any = Settings().model_dump(mode="json")
    found["listeners"] = [Listener(name="", bind="").model_dump(mode="json")]
    for key in loc:
        found = found[key]
    return found


def test_example_policy_loads_with_the_preset_below_it(checkout: Path) -> None:
    policies = load_policies(FileSource(), str(checkout / "config" / "policy"))
    context = Context(listener="inbound", direction="inbound")

    everybody = policies.select(context, "someone@example.org")
    sales = policies.select(context, "someone@sales.example.org")

    assert everybody.thresholds[Action.REJECT] == 12
    assert everybody.weights["LOTTERY_SUBJECT"] == 5.5
    assert everybody.weights["SPF_FAIL"] == 5
    assert sales.thresholds[Action.REJECT] == 20
    assert "LOTTERY_SUBJECT" not in sales.weights
