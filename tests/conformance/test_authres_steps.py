"""The doctests of authres, step by step, over our reader and our writer.

Most of them are the examples of RFC 8601 Appendix B and of those before it. A step asks what a
field says, or prints a field that was put together. What does not apply stands in a table, each
with the section.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from milter.auth.header import format_authentication_results
from milter.auth.read_results import OthersResults, parse_authentication_results
from milter.core.errors import ParseError
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from milter.auth.results import AuthResult

FILE: Final = SHARED / "conformance" / "authres" / "authres-1.2.0-doctests.json"

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not FILE.exists(), reason=f"no steps of authres at {FILE}"),
]

NAME: Final = "Authentication-Results: "
PARSE: Final = re.compile(r"parse\((['\"])Authentication-Results: (?P<value>.*)\1\)", re.IGNORECASE)
ASKED: Final = re.compile(
    r"(?:str\()?\w+\.(?:(?P<id>authserv_id)|results\[(?P<i>\d)\]"
    r"(?:\.properties\[(?P<j>\d)\]\.(?P<part>\w+)|\.(?P<field>\w+))?)\)?$"
)

# Steps that say nothing of the protocol, or of a part of it that is not in RFC 8601, by number.
_API: Final = "that project's own call; nothing stands in the field"
_BUILT: Final = "puts a result together; the step that prints it is checked"
_ABSENT: Final = "asks for an attribute of its class; the field has no such property (§2.2)"
NOT_APPLYING: Final[dict[int, str]] = {
    **dict.fromkeys((58, 59, 63, 64, 86, 87, *range(117, 121), *range(122, 126)), _API),
    **dict.fromkeys((*range(127, 131), 114, 153, 163, 177, 187), _API),
    **dict.fromkeys((55, 56, 60, 61, 65, 66, 83, 84, 115, 121, 126, 220, 221, 223, 229), _BUILT),
    **dict.fromkeys((243, 253, 264), _BUILT),
    **dict.fromkeys((35, 271, 283, 284), _ABSENT),
    # §2.7.7: results are those of the registry; that of ADSP, which is Historic, is none of the
    # methods that §2.7 describes, and `discard` no result of another.
    **dict.fromkeys(range(156, 163), "a result that the RFC does not describe (§2.7)"),
    228: "refuses an address without quotes; §2.2 has it so, real writers do not: it is read",
    **dict.fromkeys(
        (275, 277), "a property without its type; §2.2 has none such, it is read as it stands"
    ),
    290: "refuses a semicolon within a value; §2.2: it ends the result, which is what is read",
}  # fmt: skip


# Those of the above where that project raises an error and we read on.
READ_ALL_THE_SAME: Final = (228, 275, 290)


def steps() -> list[tuple[str, str]]:
    if not FILE.exists():
        return []
    return [
        tuple(step)
        for step in json.loads(FILE.read_text("utf-8"))["steps [expression, printed result]"]
    ]


def literal(printed: str) -> str:
    """Return the text that a step printed."""
    value = ast.literal_eval(printed)
    assert isinstance(value, str)
    return value


def read(field: str) -> OthersResults:
    return parse_authentication_results(field[len(NAME) :].encode())


def shown(result: AuthResult) -> str:
    """Return a result as authres prints it: without comments."""
    words = [f"{result.method}={result.result.value}"]
    if result.reason:
        words.append(f'reason="{result.reason}"')
    for name, value in result.properties:
        words.append(f'{name}="{value}"' if ":" in value else f"{name}={value}")
    return " ".join(words)


def said(field: OthersResults, asked: re.Match[str]) -> str:
    """Return what `field` says where a step looks."""
    if asked["id"]:
        return field.authserv_id
    result = field.results[int(asked["i"])]
    if asked["j"]:
        name, value = result.properties[int(asked["j"])]
        ptype, _, prop = name.partition(".")
        return {"type": ptype, "name": prop, "value": value}[asked["part"]]
    attribute = asked["field"]
    if attribute is None:
        return shown(result)
    if attribute in {"method", "result"}:
        return str(getattr(result, attribute))
    if attribute == "reason":
        return result.reason or "None"
    return dict(result.properties).get(attribute.replace("_", ".", 1).replace("_", "-"), "None")


def is_same(field: str) -> bool:
    """Tell whether what a field says survives our own writer."""
    before = read(field)
    written = format_authentication_results(before.authserv_id, before.results)
    return parse_authentication_results(written.partition(b":")[2]) == before


def check(field: OthersResults | None, expression: str, printed: str) -> OthersResults | None:
    """Check one step; return the field that the next ones ask about."""
    if parsed := PARSE.search(expression):
        value = ast.literal_eval(f"{parsed[1]}{parsed['value']}{parsed[1]}")
        return read(NAME + value)
    if expression.startswith("for result in"):
        assert field is not None
        pairs = [(one.method, one.result.value) for one in field.results]
        assert [ast.literal_eval(line) for line in printed.splitlines()] == [
            w for p in pairs for w in p
        ]
        return field
    if (asked := ASKED.match(expression)) is not None:
        assert field is not None
        assert said(field, asked) == literal(printed)
        return field
    # A field that was put together and printed: it is read, and written again by us.
    printed_field = literal(printed)
    assert printed_field.startswith(NAME), expression
    assert is_same(printed_field)
    return field


def test_every_step_is_followed_or_named() -> None:
    field: OthersResults | None = None
    followed, differing = 0, dict[int, str]()
    for number, (expression, printed) in enumerate(steps()):
        try:
            field = check(field, expression, printed)
        except (AssertionError, SyntaxError, IndexError, ParseError) as err:
            differing[number] = f"{expression} {printed} {err!r}"[:300]
        followed += number not in differing
    # One that is named and can be followed all the same is a mistake in the table.
    assert differing.keys() == {n for n in NOT_APPLYING if n not in READ_ALL_THE_SAME}
    assert followed == 238
