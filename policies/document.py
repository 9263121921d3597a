"""YAML 1.2 to nodes: the one reader of YAML in this project.

It knows the core schema of YAML 1.2: `NO`, `yes`, `on` and `12:30` are text. It is stricter than
YAML where YAML surprises: keys are always text and stand once; a number with a leading zero asks
for quotes; anchors, aliases, merge keys, tags and several documents in a file are refused, so that
a value stands where it is written and a small file cannot grow into a large one. It knows no
schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

from policies.errors import ConfigError, ConfigErrors
from policies.not_yaml import syntax_error
from policies.positions import Mark, Member, Node, Scalar, SourceFile, short

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 50
MAX_NODES: Final = 200_000
_MAX_MISTAKES: Final = 50

# YAML 1.2.2 §5.1: what a stream may not hold.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
)
# YAML 1.2.2 §10.3.2, the core schema; the leading zero is ours.
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {
    word: value
    for value, words in ((True, "true True TRUE"), (False, "false False FALSE"))
    for word in words.split()
}
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?")
_INT: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_MAX_DIGITS: Final = 18
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_STRING_TAG: Final = "tag:yaml.org,2002:str"


def parse_document(data: bytes, path: str) -> Node:
    """Return the document in `data`; an empty file is an empty mapping.

    Raises:
        ConfigErrors: Not YAML, or YAML that this project refuses.
    """
    root, mistakes = read_document(data, path)
    if root is None or mistakes:
        raise ConfigErrors(mistakes)
    return root


def read_document(
    data: bytes, path: str, *, shipped: bool = False
) -> tuple[Node | None, list[ConfigError]]:
    """Return the document in `data` as far as it can be told, and what is wrong with it.

    A key that stands twice has its last value, an alias none: so that what else is wrong can be
    found in the same go. None: it is not YAML.
    """
    try:
        file = SourceFile(path, _text(data, path), shipped)
    except ConfigErrors as err:
        return None, list(err.errors)
    builder = _Builder(file)
    try:
        is_whole = _built(builder, file)
    except ConfigErrors:
        is_whole = False
    if not is_whole:
        return None, builder.mistakes
    if builder.root is None or builder.root.content is None:
        return Node(Mark(file, 1, 1, 0), {}), builder.mistakes
    return builder.root, builder.mistakes


def _built(builder: _Builder, file: SourceFile) -> bool:
    """Give the events of `file` to `builder`; return whether they are YAML to their end."""
    loader = yaml.CSafeLoader(file.text)
    try:
        while loader.check_event() and (event := loader.get_event()) is not None:
            builder.take(event)
    except yaml.MarkedYAMLError as err:
        builder.mistakes.append(syntax_error(err, file))
    except yaml.YAMLError as err:
        builder.mistakes.append(ConfigError(file.path, 0, 0, f"not YAML: {err}"))
    else:
        return True
    finally:
        loader.dispose()
    return False


def _text(data: bytes, path: str) -> str:
    if len(data) > MAX_BYTES:
        raise ConfigErrors([ConfigError(path, 0, 0, f"larger than {MAX_BYTES // 2**20} MB")])
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as err:
        before = data[: err.start].decode("utf-8", "replace")
        raise ConfigErrors([_at_end_of(before, path, "not UTF-8: save the file as UTF-8")]) from err
    if found := _UNPRINTABLE.search(text):
        what = f"the control character U+{ord(found[0]):04X} cannot stand in YAML"
        raise ConfigErrors([_at_end_of(text[: found.start()], path, what)])
    return text


def _at_end_of(before: str, path: str, what: str) -> ConfigError:
    line_start = before.rfind("\n") + 1
    return ConfigError(path, before.count("\n") + 1, len(before) - line_start + 1, what)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    mark: Mark
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    key: tuple[str, Mark] | None = None

    def close(self) -> Node:
        return Node(self.mark, self.members if self.is_mapping else tuple(self.items))


class _Builder:
    """Takes the parser's events one by one; keeps what is open in a list, not on the call stack."""

    def __init__(self, file: SourceFile) -> None:
        self.root: Node | None = None
        self.mistakes: list[ConfigError] = []
        self._file = file
        self._open: list[_Open] = []
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        mark = self._mark(event)
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_anchor(event, mark)
            self._scalar(event, mark)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._refuse_anchor(event, mark)
            self._begin(event, mark)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._add(self._open.pop().close())
        elif isinstance(event, yaml.AliasEvent):
            name = short(event.anchor or "")
            self._mistake(
                mark,
                f"the alias `*{name}` is not read: write the value out, or put a text in quotes",
            )
            self._add(Node(mark, None))
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop(mark, "a second document begins here: one file holds one")

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent, mark: Mark) -> None:
        if len(self._open) >= MAX_DEPTH:
            self._stop(mark, f"nested more than {MAX_DEPTH} deep")
        if event.tag is not None:
            self._mistake(mark, f"the tag `{short(event.tag)}` is not read: leave it out")
        if self._expects_key():
            self._stop(mark, "a key must be text")
        self._open.append(_Open(mark, isinstance(event, yaml.MappingStartEvent)))

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        if self._expects_key():
            self._take_key(event.value, mark)
            return
        style = event.style or ""
        self._add(Node(mark, self._resolved(event, mark), style))

    def _resolved(self, event: yaml.ScalarEvent, mark: Mark) -> Scalar:
        text = str(event.value)
        if event.tag is not None and event.tag != _STRING_TAG:
            self._mistake(mark, f"the tag `{short(event.tag)}` is not read: leave it out")
        if event.style or event.tag == _STRING_TAG:
            return text
        if _LEADING_ZERO.fullmatch(text):
            self._mistake(
                mark, f"{short(text)} begins with a zero: put it in quotes, or leave out the zero"
            )
            return text
        try:
            return _plain(text)
        except ValueError:
            self._mistake(mark, f"{short(text)} is too large a number")
            return text

    def _take_key(self, key: str, mark: Mark) -> None:
        container = self._open[-1]
        if key == "<<":
            self._mistake(mark, "merge keys (`<<`) are not read: write the keys out")
        elif key in container.members:
            first = container.members[key].key.line
            self._mistake(
                mark, f"the key `{short(key)}` stands twice: the first is on line {first}"
            )
        container.key = (key, mark)

    def _add(self, node: Node) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(node.mark, f"more than {MAX_NODES:,} values")
        if not self._open:
            self.root = node
            return
        container = self._open[-1]
        if container.key is not None:
            key, mark = container.key
            container.members[key] = Member(mark, node)
            container.key = None
        else:
            container.items.append(node)

    def _expects_key(self) -> bool:
        return bool(self._open) and self._open[-1].is_mapping and self._open[-1].key is None

    def _refuse_anchor(self, event: yaml.NodeEvent, mark: Mark) -> None:
        if event.anchor is not None:
            self._mistake(
                mark, f"the anchor `&{short(event.anchor)}` is not read: write the value out"
            )

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        if start is None:
            return Mark(self._file, 1, 1, 0)
        return Mark(self._file, start.line + 1, start.column + 1, start.index)

    def _mistake(self, mark: Mark, what: str) -> None:
        self.mistakes.append(ConfigError(self._file.path, mark.line, mark.column, what))
        if len(self.mistakes) >= _MAX_MISTAKES:
            raise ConfigErrors(self.mistakes)

    def _stop(self, mark: Mark, what: str) -> None:
        """Record what makes it pointless, or dear, to read on."""
        self.mistakes.append(ConfigError(self._file.path, mark.line, mark.column, what))
        raise ConfigErrors(self.mistakes)


def _plain(text: str) -> Scalar:
    """Return what an unquoted scalar means in the core schema of YAML 1.2."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ValueError(text)
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            raise ValueError(text)
        return number
    if _SPECIAL_FLOAT.fullmatch(text):
        raise ValueError(text)
    return text
