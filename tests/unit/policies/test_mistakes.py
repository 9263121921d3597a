"""Shapes that settings have and policies have not: networks, unions of a section and null."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import (  # noqa: TC003 - pydantic reads them
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
)
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from policies.errors import ConfigErrors
from policies.loader import load
from policies.mistakes import fields_at, near
from tests.unit.policies.policy_files import Files


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    bind: str = Field(description="host:port")
    nets: tuple[IPv4Network | IPv6Network, ...] = ()
    address: IPv4Address | IPv6Address | None = None
    on: bool = False


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: tuple[Part, ...] = Field((), min_length=1)
    part: Part | None = None
    by_name: dict[str, Part] = {}
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = "auto"
    colour: Colour = Colour.RED
    seconds: float = Field(1.0, gt=0, le=30)
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an even number is needed")
        return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "parts: [{bind: a, nets: [10.0.0.0/33]}]",
            ["1:26: an item of `nets` needs a network such as 192.0.2.0/24, not '10.0.0.0/33'"],
            id="no-network",
        ),
        pytest.param(
            "parts: [{bind: a, nets: 10.0.0.0/8}]",
            ["1:25: `nets` needs a list, not '10.0.0.0/8': write [10.0.0.0/8]"],
            id="a-network-for-a-list",
        ),
        pytest.param(
            "part: {bind: a, address: example.org}",
            ["1:26: `address` needs an IP address, not 'example.org'"],
            id="no-address",
        ),
        pytest.param(
            "part: {on: yes}",
            [
                "1:1: `bind` is missing (host:port)",
                "1:12: `on` needs true or false, not 'yes'",
            ],
            id="a-section-that-may-be-null",
        ),
        pytest.param("part: [x]", ["1:7: `part` needs a mapping of keys, not a list"], id="a-list"),
        pytest.param(
            "by_name: {one: {bnid: a}}",
            [
                "1:11: `bind` is missing (host:port)",
                "1:17: unknown key `bnid`: did you mean `bind`?",
            ],
            id="a-section-by-name",
        ),
        pytest.param(
            "workers: many",
            ["1:10: `workers` needs auto or a whole number, not 'many'"],
            id="a-word-or-a-number",
        ),
        pytest.param(
            "workers: 0", ["1:10: `workers` needs auto or 1 or more, not 0"], id="too-small"
        ),
        pytest.param(
            "workers: true",
            ["1:10: `workers` needs auto or a whole number, not true"],
            id="a-truth-value-for-a-number",
        ),
        pytest.param(
            "colour: green", ["1:9: `colour` needs red or blue, not 'green'"], id="an-enumeration"
        ),
        pytest.param(
            "colour: bleu",
            ["1:9: `colour` needs red or blue, not 'bleu': did you mean `blue`?"],
            id="a-word-that-is-like-one",
        ),
        pytest.param("seconds: 31", ["1:10: `seconds` needs 30 or less, not 31"], id="too-much"),
        pytest.param("parts: []", ["1:8: `parts` needs at least 1 in the list, not an empty list"],
                     id="empty-list"),
        pytest.param("even: 3", ["1:7: `even`: an even number is needed, not 3"], id="own-words"),
        pytest.param("seconds:", ["1:9: `seconds` needs a number, not nothing"], id="no-value"),
        pytest.param("- a", ["1:1: the file needs a mapping of keys, not a list"], id="all-a-list"),
    ],
)  # fmt: skip
def test_load_mistake_in_words(text: str, expected: list[str]) -> None:
    with pytest.raises(ConfigErrors) as raised:
        load(Files({"f": text}), "f", Whole)

    said = [str(error) for error in raised.value.errors]
    missing = ["f:1:1: `parts` is missing"]
    assert [line for line in said if line not in missing] == [f"f:{line}" for line in expected]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("threshold", ": did you mean `thresholds`?"),
        ("xyz", ": known here: actions, thresholds"),
        ("t" * 10_000, ""),
    ],
)
def test_near_helps_where_it_can(word: str, expected: str) -> None:
    assert near(word, ["thresholds", "actions"]) == expected


def test_near_says_nothing_where_too_much_is_known() -> None:
    assert near("xyz", [f"name{number}" for number in range(100)]) == ""


@pytest.mark.parametrize(
    ("loc", "expected"),
    [
        ((), {"parts", "part", "by_name", "workers", "colour", "seconds", "even"}),
        (("parts", 0), {"bind", "nets", "address", "on"}),
        (("part",), {"bind", "nets", "address", "on"}),
        (("by_name", "x"), {"bind", "nets", "address", "on"}),
        (("workers",), set()),
    ],
)
def test_fields_at_a_place(loc: tuple[str | int, ...], expected: set[str]) -> None:
    assert set(fields_at(Whole, loc)) == expected
