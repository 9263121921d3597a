"""Rule packs: patterns and rules in files of their own, each with a message that it is tried on.

A pack holds the rules of one language, or of none, grouped by class and kind (X.1245 clause 6); a
policy names it under `rules_packs`. A rule is a pattern (`in` and `match`) or a condition (`when`).
Beside it stand a message that it finds and what is changed in that message so that it finds it no
more. A pack is put below the policy that names it as a tree, so that mistakes keep their places
and a pattern of the policy replaces one of the pack. This module reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from policies.extends import merge
from policies.positions import Member, Node
from policies.sections import Name, NonEmpty, Points, Section
from policies.shapes import NEEDS, Form
from policies.symbols import Kind, SymbolClass, SymbolName

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY: Final = "rules_packs"
# What the policy language has no place for: it is for people and for tests.
_BESIDE: Final = frozenset({"source", "hit", "miss"})
_CLASSES: Final = get_args(SymbolClass)


class Example(Section):
    """A message in a few words; what is not said is that of an ordinary message."""

    subject: str = Field(default="", description="Its subject")
    sender: str = Field(default="", alias="from", description="Its From field")
    body: str = Field(default="", description="Its text")
    html: str = Field(default="", description="The same as HTML, beside the text where both stand")
    files: tuple[str, ...] = Field(default=(), description="Names of the files that it carries")
    header: dict[str, str | None] = Field(
        default={}, description="Other fields of its header; null: the field is missing"
    )


class PackRule(Section):
    """One rule of a pack."""

    id: SymbolName = Field(description="Its symbol")
    in_: str | None = Field(default=None, alias="in", description="The view that is searched")
    match: str | None = Field(default=None, description="The pattern, as in `patterns`")
    when: str | None = Field(default=None, description="The condition instead, as in `rules`")
    describe: NonEmpty = Field(description="Words for the admin")
    words: str = Field(default="", description="Sentence for the sender")
    source: NonEmpty = Field(description="Why this is a sign: where it is known from")
    weight: Points = Field(description="Its points")
    hit: Example = Field(description="A message that it finds")
    miss: Annotated[dict[str, str | None], Field(min_length=1)] = Field(
        description="Texts of that message and what stands in their place in one like it that it "
        "does not find"
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> PackRule:
        if (self.match is None) == (self.when is None) or (self.in_ is None) != (
            self.match is None
        ):
            needs = "either `in` and `match`, or `when`"
            raise PydanticCustomError(NEEDS, "{needs}", {"needs": needs})
        return self


Kinds = dict[Kind, tuple[PackRule, ...]]


class PackFile(Section):
    """A pack of rules."""

    version: Literal[1] = Field(description="Version of this language: 1")
    language: Annotated[str, Form("[a-z]{2,3}|any", "a code such as en, or any")] = Field(
        description="The language of its rules (ISO 639); any: it reads no language"
    )
    about: NonEmpty = Field(description="What it is for")
    group: Name = Field(default="words", description="Group whose cap and floor hold for its rules")
    cap: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        description="The most that the group adds where the policy does not say it"
    )
    source: Kinds = Field(default={}, description="Rules over who sends, by kind")
    characteristics: Kinds = Field(default={}, description="Rules over how it is made, by kind")
    content: Kinds = Field(default={}, description="Rules over what it says, by kind")

    def rules(self) -> Iterator[tuple[SymbolClass, Kind, PackRule]]:
        """Yield every rule with its class and kind."""
        for class_ in _CLASSES:
            for kind, rules in getattr(self, class_).items():
                yield from ((class_, kind, rule) for rule in rules)


def expanded(root: Node, file: PackFile) -> Node:
    """Return the pack `root`, of the shape `file`, as the part of a policy that it stands for."""
    top = _members(root)
    patterns: list[Node] = []
    rules: list[Node] = []
    for class_ in _CLASSES:
        kinds = top.get(class_)
        for kind, member in _members(kinds.node).items() if kinds else ():
            said = {"class": class_, "kind": kind, "group": file.group}
            for item in member.node.content if isinstance(member.node.content, tuple) else ():
                filled = _filled(item, said)
                (rules if "when" in _members(item) else patterns).append(filled)
    lists = {"patterns": tuple(patterns), "rules": tuple(rules)}
    mark = root.mark
    members = {key: Member(mark, Node(mark, items)) for key, items in lists.items()}
    cap = Node(mark, {"cap": Member(mark, Node(mark, file.cap))})
    return Node(
        mark, {**members, "groups": Member(mark, Node(mark, {file.group: Member(mark, cap)}))}
    )


def beneath(root: Node, packs: list[Node]) -> Node:
    """Return the policy `root` with `packs`, as `expanded` makes them, put below it in order."""
    below = Node(root.mark, {})
    for pack in packs:
        below = merge(below, pack)
    return merge(below, root)


def _filled(item: Node, said: Mapping[str, str]) -> Node:
    kept = {key: member for key, member in _members(item).items() if key not in _BESIDE}
    for key, value in said.items():
        kept[key] = Member(item.mark, Node(item.mark, value))
    return Node(item.mark, kept)


def _members(node: Node) -> Mapping[str, Member]:
    return node.content if isinstance(node.content, Mapping) else {}
