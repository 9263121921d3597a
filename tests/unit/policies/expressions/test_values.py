from __future__ import annotations

import pytest

from policies.expressions.values import fact_types, values
from policies.facts import FACTS, FactSpec, FactType, FactValue, FieldSpec
from tests.support.facts import misfits


@pytest.mark.parametrize("spec", FACTS, ids=lambda spec: spec.name)
def test_facts_example_of_each_row_fits_its_type(spec: FactSpec) -> None:
    assert misfits({spec.name: spec.example}) == []
    assert values({spec.name: spec.example}, [spec.name]).keys() == {spec.name}


def test_facts_names_are_plain_words_once() -> None:
    def names(prefix: str, fields: tuple[FieldSpec, ...]) -> list[str]:
        inner = [one for field in fields for one in names(f"{prefix}.{field.name}", field.fields)]
        return [*(f"{prefix}.{field.name}" for field in fields), *inner]

    every = [name for spec in FACTS for name in (spec.name, *names(spec.name, spec.fields))]

    assert len(every) == len(set(every))
    assert all(name.replace(".", "").replace("_", "").isalpha() for name in every)
    assert fact_types().keys() == {spec.name for spec in FACTS}


def test_facts_records_and_nothing_else_have_fields() -> None:
    with_fields = {spec.type for spec in FACTS if spec.fields}
    without = {spec.type for spec in FACTS if not spec.fields}

    assert with_fields == {FactType.RECORD, FactType.RECORDS}
    assert not with_fields & without


def test_values_absent_facts_are_empty() -> None:
    empty = values({}, [spec.name for spec in FACTS])

    assert empty["dmarc"].result == ""
    assert empty["dmarc"].aligned is False
    assert empty["attachments"] == empty["symbols"] == []
    assert (empty["headers"], empty["subject"], empty["score"]) == ({}, "", 0.0)


def test_values_missing_fields_are_empty_and_unknown_ones_left_out() -> None:
    facts: dict[str, FactValue] = {"spf": {"result": "pass", "weather": "rain"}}

    spf = values(facts, ["spf"])["spf"]

    assert (spf.result, spf.domain) == ("pass", "")
    assert not hasattr(spf, "weather")


def test_values_are_cut() -> None:
    symbols: list[FactValue] = ["A"] * 3000
    attachments: list[FactValue] = [{"name": "n"} for _ in range(3000)]
    facts: dict[str, FactValue] = {
        "symbols": symbols,
        "attachments": attachments,
        "headers": {str(number): 1 for number in range(3000)},
        "subject": "s" * 10_000,
        "size_bytes": 2**80,
    }

    cut = values(facts, list(facts))

    assert [len(cut[name]) for name in ("symbols", "attachments", "headers")] == [1000] * 3
    assert len(cut["subject"]) == 4096
    assert cut["size_bytes"] == 2**63 - 1


@pytest.mark.parametrize("hostile", ["\ud800", "a\udcffb", "\x00", "é\U0001f600"])
def test_values_text_of_any_characters_is_taken(hostile: str) -> None:
    facts: dict[str, FactValue] = {
        "subject": hostile,
        "dkim": [{"domain": hostile}],
        "recipients": [hostile],
    }

    taken = values(facts, list(facts))

    assert taken["subject"].encode()
    assert taken["dkim"][0].domain == taken["subject"] == taken["recipients"][0]
