"""What can be asked over HTTP, said once: the routes, the tokens and the document follow from it.

An endpoint is declared beside its handler and named in `catalogue`. Pure: values alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, object]
Method = Literal["GET", "POST"]

TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
WHOLE: Final[Schema] = {"type": "integer"}
TRUTH: Final[Schema] = {"type": "boolean"}
ANYTHING: Final[Schema] = {}


class Access(StrEnum):
    """Who may ask.

    OPEN is for everybody: sums, which name nobody. MACHINE is for this machine, and for who knows
    the token beyond it. TOKEN is for who knows the token, wherever; a unix socket counts as one.
    """

    OPEN = "open"
    MACHINE = "machine"
    TOKEN = "token"  # noqa: S105 - a word, no secret


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a caller can say beside the body.

    Attributes:
        name: As it is written.
        place: Where it stands.
        words: What it means.
        schema: JSON Schema of its value.
        required: Whether it must be there; what stands in the path always must.
        repeated: Whether it may be there several times.
    """

    name: str
    place: Literal["query", "header", "path"]
    words: str
    schema: Schema = field(default_factory=lambda: dict(TEXT))
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One way in which a question may end.

    Attributes:
        words: What it means.
        schema: JSON Schema of the body.
        media_type: Of the body; empty: there is none.
        text_types: Media types of texts that a caller can ask for instead.
    """

    words: str
    schema: Schema = field(default_factory=dict)
    media_type: str = "application/json"
    text_types: tuple[str, ...] = ()


def record(needed: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with the keys `needed`, and perhaps those of `more`."""
    return {
        "type": "object",
        "properties": {**needed, **(more or {})},
        "required": list(needed),
    }


def listed(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def named(values: Schema) -> Schema:
    """Return the schema of an object whose keys are names."""
    return {"type": "object", "additionalProperties": values}


FAULT: Final[Schema] = record({"error": {**TEXT, "description": "What is wrong, in words"}})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One question.

    Attributes:
        method: Of HTTP.
        path: Below the address of the port; a name in braces stands for one piece of it.
        access: Who may ask.
        words: What it is for, in one sentence.
        answers: By status. What every endpoint may answer (401, 429, 500, 503) is not said again.
        parameters: What a caller can say beside the body.
        takes_message: Whether the body is a message, which may be compressed.
    """

    method: Method
    path: str
    access: Access
    words: str
    answers: Mapping[int, Answer]
    parameters: tuple[Parameter, ...] = ()
    takes_message: bool = False
