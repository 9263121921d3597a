"""The catalogue of well-known DNS lists: their codes, their terms, and which of them ended.

A policy names an entry (`use: spamhaus-zen`) and says only what shall differ. The data stands in
`dnslists.yaml`, with the page on which each code and each term was read. This module reads no file
(`loader` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from policies.dnslist_schema import DnsListEntry
from policies.extends import merge_mappings
from policies.mistakes import near
from policies.positions import Member, Node
from policies.sections import Name, NonEmpty, Section
from policies.shapes import Form

if TYPE_CHECKING:
    from policies.errors import ConfigError
    from policies.positions import Positions

_Date = Annotated[str, Form(r"20[0-9]{2}(-[0-9]{2}){0,2}", "a date such as 2024-06-05")]
_Page = Annotated[str, Form(r"https?://[!-~]{4,300}", "the address of a page")]


class About(Section):
    """What a person has to know before a list is asked."""

    title: NonEmpty = Field(description="Its name")
    home: _Page = Field(description="Its own page")
    terms: NonEmpty = Field(description="Who may ask it, and how much, in words")
    register_for: Literal["nothing", "resolver", "key"] = Field(
        description="What has to be registered first: the addresses of one's resolvers, or a key"
    )
    public_resolvers: bool = Field(
        default=True, description="Whether it answers questions that come through public resolvers"
    )
    everybody: bool = Field(description="Whether its terms let every site ask, commercial or not")
    how: NonEmpty = Field(description="How to register, or how to begin")
    sources: tuple[_Page, ...] = Field(min_length=1, description="Where all that was read")


class CatalogueEntry(DnsListEntry):
    """One list of the catalogue."""

    about: About | None = Field(default=None, description="What a person has to know")
    like: Name | None = Field(default=None, description="Entry that this one differs from")


class EndedList(Section):
    """A list that no longer works; whoever still asks it waits for nothing, or worse."""

    title: NonEmpty = Field(description="Its name")
    ended: _Date = Field(description="When")
    words: NonEmpty = Field(description="What it does now")
    source: _Page = Field(description="Where that was read")


class CatalogueFile(Section):
    """The whole file."""

    lists: dict[Name, CatalogueEntry] = Field(description="By the name that `use` takes")
    ended: dict[str, EndedList] = Field(description="By zone")


@dataclass(frozen=True, slots=True)
class ListCatalogue:
    """The catalogue, ready to be asked.

    Attributes:
        entries: By name, with what they are like filled in.
        nodes: The same as written, without `about`, for policies to stand on.
        zones: Every zone that is in it.
    """

    entries: Mapping[str, CatalogueEntry]
    nodes: Mapping[str, Node]
    zones: frozenset[str]
    _ended: Mapping[str, EndedList]

    def about(self, name: str | None) -> About | None:
        """Return what there is to know of the entry `name`; None without such an entry."""
        entry = self.entries.get(name) if name else None
        return entry.about if entry else None

    def about_zone(self, zone: str) -> About | None:
        """Return what there is to know of the list that is asked in `zone`."""
        found = [e for e in self.entries.values() if e.public_zone.lower() == zone.lower()]
        return found[0].about if found else None

    def knows(self, zone: str) -> bool:
        """Return whether `zone`, in lower case, is in it."""
        return zone in self.zones

    def ended(self, zone: str) -> str:
        """Return that the list `zone`, in lower case, ended, in words; empty when it did not."""
        while zone:
            if found := self._ended.get(zone):
                return f"{found.title} ended in {found.ended} ({found.words})"
            _, _, zone = zone.partition(".")
        return ""

    def filled(
        self, root: Node, positions: Positions
    ) -> tuple[Node, list[ConfigError], list[Node]]:
        """Return the policy `root` with what its lists take from the catalogue put below them.

        Behind it the mistakes: entries that there are not. What names one is left out and stands
        behind them, with all that it may have meant.
        """
        lists = root.content.get("dns_lists") if isinstance(root.content, Mapping) else None
        if lists is None or not isinstance(lists.node.content, tuple):
            return root, [], []
        mistakes: list[ConfigError] = []
        items: list[Node] = []
        lost: list[Node] = []
        for index, item in enumerate(lists.node.content):
            name = self._unknown(item)
            if name is None:
                items.append(self._filled(item))
                continue
            what = f"the catalogue has no list `{name}`{near(name, self.nodes)}"
            mistakes.append(positions.error(("dns_lists", index, "use"), what))
            lost += [item, *self.nodes.values()]
        whole = Member(lists.key, Node(lists.node.mark, tuple(items)))
        return Node(root.mark, {**_members(root), "dns_lists": whole}), mistakes, lost

    def _unknown(self, item: Node) -> str | None:
        """Return the name of an entry that `item` uses and that is none."""
        use = _members(item).get("use")
        name = use.node.content if use else None
        return name if isinstance(name, str) and name not in self.nodes else None

    def _filled(self, item: Node) -> Node:
        use = _members(item).get("use")
        if use is None or not isinstance(use.node.content, str):
            return item
        # The place of the item stays its own, for mistakes about the whole of it.
        return Node(item.mark, merge_mappings(self.nodes[use.node.content], item).content)


_ABOUT: Final = frozenset({"about", "like"})


def build_catalogue(root: Node, file: CatalogueFile) -> ListCatalogue:
    """Return the catalogue that the document `root`, of the shape `file`, describes."""
    written = _members(_members(root)["lists"].node)
    whole = {name: _whole(name, written) for name in written}
    entries = {name: CatalogueEntry.model_validate(node.value()) for name, node in whole.items()}
    nodes = {
        name: Node(node.mark, {k: m for k, m in _members(node).items() if k not in _ABOUT})
        for name, node in whole.items()
    }
    zones = frozenset(entry.zone.lower() for entry in entries.values() if entry.zone)
    return ListCatalogue(entries, nodes, zones, file.ended)


def _whole(name: str, written: Mapping[str, Member]) -> Node:
    """Return an entry with what it is like put below it; one step, for more hides what is said."""
    node = written[name].node
    like = _members(node).get("like")
    if like is None:
        return node
    return merge_mappings(written[str(like.node.content)].node, node)


def _members(node: Node) -> Mapping[str, Member]:
    return node.content if isinstance(node.content, Mapping) else {}
