"""How a policy builds on another one: the two documents are merged as trees, places kept.

Mappings are merged key by key; a scalar replaces what it stands for. A pattern or rule with the id
of one below replaces it, and so does a list with the zone and questions of one below; others are
added behind. Overrides are added behind those below, so that they win where both are equally
strong. This module reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.positions import Member, Node

_IDENTITY: Final[Mapping[str, tuple[str, ...]]] = {
    "dns_lists": ("zone", "asks"),
    "patterns": ("id",),
    "rates": ("id",),
    "rules": ("id",),
    "overrides": (),
    "shadow": ("policy",),
    "tests": (),
}


def merge(below: Node, above: Node) -> Node:
    """Return the document `above` with what it does not say taken from `below`."""
    if not isinstance(below.content, Mapping) or not isinstance(above.content, Mapping):
        return above
    members = dict(below.content)
    for key, member in above.content.items():
        known = members.get(key)
        if known is None:
            members[key] = member
        elif key in _IDENTITY:
            lists = _merge_lists(_IDENTITY[key], known.node, member.node)
            members[key] = Member(member.key, lists)
        else:
            members[key] = Member(member.key, merge_mappings(known.node, member.node))
    return Node(above.mark, members)


def merge_mappings(below: Node, above: Node) -> Node:
    """Return `above` with the keys that it does not have taken from `below`."""
    if not isinstance(below.content, Mapping):
        return above
    if not isinstance(above.content, Mapping):
        # A mistake, told where it stands; what names the keys below is none.
        return below
    members = dict(below.content)
    for key, member in above.content.items():
        known = members.get(key)
        merged = merge_mappings(known.node, member.node) if known else member.node
        members[key] = Member(member.key, merged)
    return Node(above.mark, members)


def _merge_lists(identity: tuple[str, ...], below: Node, above: Node) -> Node:
    if not isinstance(above.content, tuple):
        # A mistake, told where it stands; what names the entries below is none.
        return below
    if not isinstance(below.content, tuple):
        return above
    if not identity:
        return Node(above.mark, (*below.content, *above.content))
    replaced = {_identified(identity, item) for item in above.content}
    kept = (item for item in below.content if _identified(identity, item) not in replaced)
    return Node(above.mark, (*kept, *above.content))


def _identified(identity: tuple[str, ...], item: Node) -> tuple[object, ...]:
    if not isinstance(item.content, Mapping):
        return (id(item),)
    return tuple(
        _comparable(member.node) if (member := item.content.get(key)) else None for key in identity
    )


def _comparable(node: Node) -> object:
    """Return the value of a scalar, or of a list of them in any order."""
    value = node.value()
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset({str(value)})
