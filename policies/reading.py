"""A file as nodes, as plain values, or as a model: every mistake of it at its line and column.

It knows no policy and follows no `extends`. Types are taken strictly, as JSON has them: text is
never made a number nor a truth value.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

import pydantic

from policies.document import read_document
from policies.errors import ConfigError, ConfigErrors, Mistakes
from policies.mistakes import in_words
from policies.positions import Node, Positions, Value

if TYPE_CHECKING:
    from policies.sources import Source

M = TypeVar("M", bound=pydantic.BaseModel)


class Shipped:
    """The YAML files inside this package."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the file."""
        return resources.files("policies").joinpath(path).read_bytes()


def root_of(source: Source, path: str, mistakes: Mistakes) -> Node | None:
    """Return the document at `path` as far as it can be told; None: it cannot be read at all."""
    try:
        data = source.read(path)
    except ConfigError as err:
        mistakes.take([err])
        return None
    root, wrong = read_document(data, path, shipped=isinstance(source, Shipped))
    mistakes.take(wrong)
    return root


def read_node(source: Source, path: str) -> Node:
    """Return the document at `path` with its places.

    Raises:
        ConfigErrors: It cannot be read or is not YAML as `document` reads it.
    """
    mistakes = Mistakes()
    root = root_of(source, path, mistakes)
    mistakes.refuse()
    assert root is not None  # noqa: S101 - else there was a mistake
    return root


def load_document(source: Source, path: str) -> tuple[Value, Positions]:
    """Return the plain values at `path`, keys always text, and where they stand.

    Raises:
        ConfigErrors: It cannot be read or is not YAML as `document` reads it.
    """
    root = read_node(source, path)
    return root.value(), Positions(root)


def load(source: Source, path: str, model: type[M]) -> tuple[M, Positions]:
    """Return what stands at `path` as a `model`, and where it stands.

    Raises:
        ConfigErrors: Every mistake of the file, in its order.
    """
    mistakes = Mistakes()
    root = root_of(source, path, mistakes)
    if mistakes and root is not None:
        with mistakes.taken():
            validate(root, model)
    mistakes.refuse()
    assert root is not None  # noqa: S101 - else there was a mistake
    return validate(root, model), Positions(root)


def validate(root: Node, model: type[M]) -> M:
    """Return `root` as a `model`.

    Raises:
        ConfigErrors: Every mistake, in the order of the files.
    """
    try:
        return as_model(root, model)
    except pydantic.ValidationError as err:
        raise ConfigErrors(in_words(err, Positions(root), model)) from err


def as_model(root: Node, model: type[M]) -> M:
    """Return `root` as a `model`.

    Raises:
        pydantic.ValidationError: In the words of the library.
    """
    return model.model_validate_json(json.dumps(root.value()), strict=True)
