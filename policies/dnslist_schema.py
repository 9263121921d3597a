"""A DNS list as a policy or the catalogue writes it.

Only the shape is checked here; answers that can never be a listing and what does not go together is
told by `declared_lists`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from policies.dnslists import Asks  # noqa: TC001 - pydantic reads it
from policies.sections import Name, NonEmpty, Points, Section
from policies.shapes import Form
from policies.symbols import Kind, SymbolClass, SymbolName  # noqa: TC001 - pydantic reads them

_Zone = Annotated[
    str, Form(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){1,9}", "a zone such as bl.example.org")
]
_TestName = Annotated[
    str,
    Form(r"[A-Za-z0-9_.-]{1,200}", "what stands before the zone in a question, such as 2.0.0.127"),
]


class ListedAs(Section):
    """What one answer of a DNS list means."""

    symbol: SymbolName = Field(description="The symbol of a listing with this answer")
    weight: Points = Field(description="Its points; negative for `effect: allow`")
    class_: SymbolClass = Field(
        default="source", alias="class", description="What it looks at (X.1245)"
    )
    kind: Kind = Field(default="other", description="Kind of spam that it speaks for")
    group: Name | None = Field(
        default=None, description="Group whose cap and floor hold for it; absent: the list's"
    )
    describe: NonEmpty = Field(description="Words for the admin")


class HashSection(Section):
    """How a list of hashes writes what it holds.

    A list of domains that has it is asked for the hashes of domains.
    """

    algorithm: Literal["md5", "sha1", "sha256", "sha384", "sha512", "blake2"] = Field(
        default="sha1", description="The hash; `blake2` is BLAKE2b of 512 bits"
    )
    encoding: Literal["hex", "base32", "base64", "zbase32"] = Field(
        default="hex",
        description="How it is written; `zbase32` is what rspamd means by `base32`",
    )
    length: Annotated[int, Field(ge=8, le=63)] | None = Field(
        default=None, description="Characters of it that are asked for; absent: 63 at most"
    )
    of: Literal["whole", "host_path"] = Field(
        default="whole",
        description="What of a web address is hashed: all of it, or `host/path` alone",
    )
    case: Literal["lower", "keep"] = Field(
        default="lower", description="Whether a text is hashed in lower case or as it stands"
    )
    at: Literal["@", "."] = Field(
        default="@",
        description="What stands between local part and domain of a mail address that is hashed",
    )


class ProbeSection(Section):
    """The names that tell a list that works from one that does not (RFC 5782 §5)."""

    listed: _TestName | None = Field(
        default=None, description="Before the zone: what is always listed; null: nothing is"
    )
    not_listed: _TestName | None = Field(
        default=None, description="Before the zone: what is never listed; null: nothing is known"
    )


class DnsListEntry(Section):
    """A DNS list, and what its answers mean; an answer that is not mapped counts for nothing.

    `use` takes all that is not said from the catalogue of lists; else zone, asks, and codes or bits
    must be said.
    """

    use: Name | None = Field(
        default=None, description="Entry of the catalogue of lists that this one stands on"
    )
    zone: _Zone | None = Field(default=None, description="The zone that is asked; its public name")
    asks: Asks | Annotated[tuple[Asks, ...], Field(min_length=1)] | None = Field(
        default=None, description="What is looked up in the list, one or several"
    )
    effect: Literal["block", "allow"] = Field(
        default="block", description="Whether a listing speaks against a message or for it"
    )
    codes: dict[str, ListedAs] | None = Field(
        default=None,
        description='Answers by address: "127.0.0.2", or a range "127.0.0.10-11", "127.0.2-9.3"',
    )
    bits: dict[int, ListedAs] | None = Field(
        default=None, description="Answers by bit of the last octet: 2, 4, 8 ... 128"
    )
    errors: tuple[str, ...] = Field(
        default=(),
        description="Answers by which this list refuses us, beside those by which every list does",
    )
    key_file: str | None = Field(
        default=None, description="File with the secret label that stands before the zone"
    )
    part: Annotated[str, Form(r"[a-z0-9_-]{1,63}", "a label such as _email")] | None = Field(
        default=None,
        description="Label before the key that says what part of the zone is asked, such as _email",
    )
    page: Annotated[str, Form(r"https?://[!-~]{4,200}", "the address of a page")] | None = Field(
        default=None,
        description="Page on which a sender can look a listing up; {listed} becomes what is listed",
    )
    group: Name | None = Field(
        default=None, description="Group of its symbols where they name none; absent: `lists`"
    )
    cap: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = Field(
        default=None,
        description="The most that its group adds (an allow list: takes away) where `groups` does"
        " not say it",
    )
    hash: HashSection | None = Field(
        default=None,
        description="How a list of hashes writes what it holds; absent: as below, and domains as"
        " they are",
    )
    test: ProbeSection | None = Field(
        default=None, description="Its test points; absent: those of RFC 5782 §5"
    )
    ipv6: bool = Field(default=True, description="Whether it is asked about IPv6 addresses")
    most: int = Field(
        default=20,
        ge=1,
        le=100,
        description="The most questions about one message, for each `asks`",
    )
    most_hits: int = Field(
        default=90,
        ge=50,
        le=99,
        description="Percent of the last 50 different subjects that no sender can choose; a list"
        " that lists more is set aside, for it lists the world",
    )
    graded: bool = Field(
        default=False,
        description="Whether it answers for most of what it is asked about, with a grade; then only"
        " answers that are mapped count for `most_hits`",
    )
    queries_a_day: int | None = Field(
        default=None,
        ge=1,
        description="Questions a day (UTC) over all workers, test points included; then it is left"
        " alone until the next",
    )

    @property
    def public_zone(self) -> str:
        """The zone as people see it: with the part that is asked, without the key."""
        return ".".join(filter(None, (self.part, self.zone)))
