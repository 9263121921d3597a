from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from policies.document import parse_document
from policies.loader import validate
from policies.schema import PolicyFile
from policies.sections import Section
from policies.symbols import SymbolEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

# The example of the language that the documentation gives, less what needs expressions.
EXAMPLE = """
version: 1
name: example
extends: balanced
thresholds: {tag: 5, quarantine: 8, reject: 12}
early: {connect: 12, rcpt: 12}
actions:
  tag: {subject_prefix: null}
  quarantine: {as: mark}
  defer: {reply: "451 4.7.1 Try again later ({txn_id})"}
groups: {auth: {cap: 6, floor: -3}}
weights: {GTUBE: 100}
dns_lists:
  - zone: bl.example
    asks: client_ip
    effect: block
    codes: {"127.0.0.2": {symbol: EXAMPLE_SPAM, weight: 4, class: source, kind: botnet,
                          describe: Sends to spam traps},
            "127.0.0.10-11": {symbol: EXAMPLE_DYNAMIC, weight: 1, class: source, kind: other,
                              describe: Dynamic address}}
patterns:
  - id: LOTTERY_SUBJECT
    in: subject
    match: 'you (have )?won .{0,40}lottery'
    class: content
    kind: fraud
    describe: Lottery advance-fee wording in the subject
    group: content
    weight: 2.5
overrides:
  - match: {recipient: '*@sales.example.org'}
    thresholds: {reject: 20}
    weights: {LOTTERY_SUBJECT: 0}
"""


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for below in model.__subclasses__():
        yield from models(below)


@pytest.mark.parametrize("model", [*models(Section), SymbolEntry], ids=lambda model: model.__name__)
def test_schema_describes_every_field(model: type[BaseModel]) -> None:
    silent = [name for name, field in model.model_fields.items() if not field.description]

    assert silent == []


def test_schema_takes_the_example_of_the_language() -> None:
    file = validate(parse_document(EXAMPLE.encode(), "example.yaml"), PolicyFile)

    assert file.patterns[0].in_ == "subject"
    assert file.thresholds.reject == 12


def the_json_schema() -> dict[str, Any]:
    return PolicyFile.model_json_schema()


def test_json_schema_agrees_about_the_example() -> None:
    value = parse_document(EXAMPLE.encode(), "example.yaml").value()

    jsonschema.Draft202012Validator.check_schema(the_json_schema())
    jsonschema.validate(json.loads(json.dumps(value)), the_json_schema())


@pytest.mark.parametrize(
    "wrong",
    ["treshold: {}", "version: 2", "weights: {spam: 1}", "patterns: [{id: A}]"],
)
def test_json_schema_refuses_what_is_refused(wrong: str) -> None:
    value = parse_document(f"name: x\n{wrong}".encode(), "f.yaml").value()

    assert not jsonschema.Draft202012Validator(the_json_schema()).is_valid(value)
