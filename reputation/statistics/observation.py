"""What is told of one message to be counted, and by what it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# A dimension and a value: ("action", "reject").
Label = tuple[str, str]

EVERYTHING: Final[Label] = ("all", "")


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that messages are counted by.

    Attributes:
        name: As the API calls it.
        words: What its values are.
        kept: For a sketch, how many values it keeps: a count misses at most 1/(kept + 1) of the
            messages of each slot. 0: every value is counted exactly.
        personal: Whether its values may point to somebody, and are shown to who has the token only.
    """

    name: str
    words: str
    kept: int = 0
    personal: bool = False

    @property
    def is_sketch(self) -> bool:
        """Whether there may be any number of values."""
        return self.kept > 0


DIMENSIONS: Final = (
    Dimension("all", "every message"),
    Dimension("direction", "inbound, outbound or internal"),
    Dimension("listener", "name of the listener that took it"),
    Dimension("action", "what was done with it"),
    Dimension("stage", "where it was decided: connect to rcpt before its data, message after it"),
    Dimension("kind", "kind of spam, of what was marked or refused"),
    Dimension("symbol", "each symbol that was found"),
    Dimension("size", "size class: the upper end, in bytes"),
    Dimension("language", "language, ISO 639-1, of the messages that were looked at for it"),
    Dimension("script", "script, of the messages that were looked at for it"),
    Dimension("auth", "result of an authentication method, such as spf=pass"),
    Dimension("country", "country that the address of the client is registered in"),
    Dimension("hops", "hosts of ours that it passed before this one"),
    Dimension("route", "country of the client and listener, such as FR > inbound"),
    Dimension("shadow", "shadow policy with what was done and what it would have done"),
    Dimension("network", "network (AS) of the client", kept=200),
    Dimension("network_route", "network of the client and listener", kept=200),
    Dimension("campaign", "messages whose texts are nearly the same", kept=200),
    Dimension("block", "block of addresses, /24 or /64, of the client", kept=500, personal=True),
    Dimension("recipient_domain", "domain of a recipient", kept=200, personal=True),
)
BY_NAME: Final = {dimension.name: dimension for dimension in DIMENSIONS}
SKETCHES: Final = tuple(dimension for dimension in DIMENSIONS if dimension.is_sketch)
CAMPAIGN: Final = "campaign"
# Told slot by slot as well.
OVER_TIME: Final = frozenset({"all", "action", "kind", "direction"})


class Profile(NamedTuple):
    """What a message is counted by exactly; many messages share one, so it is taken apart late.

    Empty texts are not counted, symbols once each, and of several results of a method the first, as
    in the log. The names are those of `DIMENSIONS`.
    """

    direction: str = ""
    listener: str = ""
    action: str = ""
    stage: str = ""
    kind: str = ""
    size: str = ""
    language: str = ""
    script: str = ""
    country: str = ""
    hops: str = ""
    symbols: tuple[str, ...] = ()
    auth: tuple[tuple[str, str], ...] = ()

    def labels(self) -> Iterator[Label]:
        """Give each dimension and value, each once."""
        yield EVERYTHING
        for name, value in zip(self._fields[:_PLAIN], self[:_PLAIN], strict=True):
            if value:
                yield name, str(value)
        if self.country:
            yield "route", f"{self.country} > {self.listener}"
        for symbol in dict.fromkeys(self.symbols):
            yield "symbol", symbol
        # The last one of a name is the one that stays.
        for method, result in dict(reversed(self.auth)).items():
            yield "auth", f"{method}={result}"


# So many of its fields are one text.
_PLAIN: Final = Profile._fields.index("symbols")


class Observation(NamedTuple):
    """What is told of one message.

    Attributes:
        at: When it had its reply, in seconds since the epoch.
        size: Its bytes; 0 where they were never sent.
        unwanted: Whether anything but `pass` was done with it.
        saved: Announced bytes that were never sent.
        profile: What it is counted by exactly.
        sources: What it is counted by in sketches, each once.
        text: The beginning of its text (`near.READ`), by which campaigns are found.
    """

    at: float
    size: int
    unwanted: bool
    saved: int
    profile: Profile
    sources: tuple[Label, ...] = ()
    text: str = ""
