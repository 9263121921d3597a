"""Why a text is not YAML, in words for the person who wrote it.

The library tells where it could not go on. What is to be mended often stands before that: a text
that ended at an inner quote, a line above that goes on. This module reads no YAML and knows no
schema.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from policies.errors import ConfigError

if TYPE_CHECKING:
    import yaml

    from policies.positions import SourceFile

_WORDS: Final = {
    "found unexpected end of stream": "a quoted text begins here and does not end",
    "could not find expected ':'": "a `:` is missing after the key",
    "did not find expected key": "the indentation does not fit, or a quote is not closed",
    "did not find expected '-' indicator": (
        "a list and keys are mixed at one indentation: indent one of them"
    ),
    "found unknown escape character": (
        "an escape that YAML does not know: in single quotes `\\` is an ordinary character"
    ),
    "did not find expected ',' or ']'": "a list in `[ ]` is not closed, or a comma is missing",
    "did not find expected ',' or '}'": "a mapping in `{ }` is not closed, or a comma is missing",
}
# What YAML takes the first character of a value for.
_FIRST: Final = {
    "while scanning an alias": "an alias",
    "while scanning an anchor": "an anchor",
    "while scanning a tag": "a tag",
    "while scanning a block scalar": "a text on the lines below",
}
_RESERVED: Final = "found character that cannot start any token"
_NO_VALUE: Final = "mapping values are not allowed in this context"
# The `:` of a key; one inside a text has no blank behind it.
_COLON: Final = re.compile(r":\s")
_CLOSED: Final = {
    '"': 'the text ends at the `"` before this: put the whole text in single quotes',
    "'": "the text ends at the `'` before this: inside single quotes write `''` for it",
    "]": "the list ends at the `]` before this: put the whole text in quotes",
    "}": "the mapping ends at the `}` before this: put the whole text in quotes",
}
_CLOSES: Final = frozenset({"did not find expected key", *(w for w in _WORDS if "','" in w)})


def syntax_error(err: yaml.MarkedYAMLError, file: SourceFile) -> ConfigError:
    """Return what is wrong with a file of which the library says `err`."""
    problem, mark = str(err.problem), err.problem_mark or err.context_mark
    if mark is None:
        return ConfigError(file.path, 0, 0, f"not YAML: {problem}")
    if file.text[mark.index : mark.index + 1] == "\t":
        return _at(file, mark, "a tab cannot indent: use spaces")
    first = _FIRST.get(str(err.context))
    if first and err.context_mark is not None:
        return _at(file, err.context_mark, _begins(file, err.context_mark, first))
    if problem == _RESERVED:
        shown = file.text[mark.index : mark.index + 1].replace("`", "a backquote")
        return _at(file, mark, f"{shown} cannot begin a value in YAML: put the text in quotes")
    if problem == _NO_VALUE:
        return _second_colon(file, mark)
    if problem in _CLOSES and (closed := _closed_before(file, mark)):
        return _at(file, mark, closed)
    # What was opened and not closed is shown where it was opened, not at the end of the file.
    if problem.startswith(("found unexpected end", "did not find expected ','")):
        mark = err.context_mark or mark
    return _at(file, mark, _WORDS.get(problem, f"not YAML: {problem}"))


def _begins(file: SourceFile, mark: yaml.Mark, what: str) -> str:
    character = file.text[mark.index : mark.index + 1]
    return f"`{character}` begins {what} in YAML: put the text in quotes"


def _second_colon(file: SourceFile, mark: yaml.Mark) -> ConfigError:
    before = _line_before(file, mark)
    if _COLON.search(before):
        what = "a second `:` on one line: put the text in quotes, or the key on a line of its own"
        return _at(file, mark, what)
    what = "the line above goes on here: this one is indented too far, or that one lacks its `:`"
    indent = len(before) - len(before.lstrip(" "))
    return ConfigError(file.path, mark.line + 1, indent + 1, what)


def _closed_before(file: SourceFile, mark: yaml.Mark) -> str:
    """Return what is wrong where something follows a closed text on the same line."""
    before = _line_before(file, mark).rstrip(" ")
    return _CLOSED.get(before[-1:], "")


def _line_before(file: SourceFile, mark: yaml.Mark) -> str:
    return file.text[file.text.rfind("\n", 0, mark.index) + 1 : mark.index]


def _at(file: SourceFile, mark: yaml.Mark, what: str) -> ConfigError:
    return ConfigError(file.path, mark.line + 1, mark.column + 1, what)
