"""The policy file: what may be said in it and what it means.

Every field is described here, and the reference page is made from it. Only the shape is checked
here; what depends on other parts of the policy (unknown symbols, thresholds out of order, list
codes that are refusals) is checked in `compile`, after `extends` has been followed.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from policies.dnslist_schema import DnsListEntry  # noqa: TC001 - pydantic reads it
from policies.rates import RateEntry  # noqa: TC001 - pydantic reads them
from policies.replies import REPLY_RULES, REPLY_TEXT
from policies.schema_cases import CaseEntry, ShadowEntry  # noqa: TC001 - as below
from policies.schema_rules import ListEntry, RuleEntry  # noqa: TC001 - pydantic reads them
from policies.sections import Name, NonEmpty, Points, Section, Strings, Threshold
from policies.shapes import Form
from policies.symbols import Kind, SymbolClass, SymbolName  # noqa: TC001 - pydantic reads them

DEFAULT_DEFER_REPLY: Final = "451 4.7.1 Try again later ({txn_id})"

_VIEWS: Final = (
    "subject",
    "headers",
    "body",
    "text",
    "html",
    "hidden",
    "folded",
    "skeleton",
    "urls",
    "filenames",
    "raw",
    "mail_from",
    "helo",
    "client_name",
)


_Mailbox = Annotated[
    str, Form(r"[\s\S]*[@*][\s\S]*|[Pp]ostmaster", "an address such as *@example.org")
]
_Sender = Annotated[str, Form(r"[\s\S]*[@*][\s\S]*|<>", "an address such as *@example.org, <>")]
_DomainGlob = Annotated[str, Form(r"[^@]+", "a domain such as example.org")]
_Mailboxes = _Mailbox | Annotated[tuple[_Mailbox, ...], Field(min_length=1)]
_Senders = _Sender | Annotated[tuple[_Sender, ...], Field(min_length=1)]
_Domains = _DomainGlob | Annotated[tuple[_DomainGlob, ...], Field(min_length=1)]


class Thresholds(Section):
    """The score from which each action is taken; absent or null: never by score."""

    tag: Threshold | None = Field(default=None, description="Marked in its header and passed on")
    quarantine: Threshold | None = Field(
        default=None, description="Marked or redirected for quarantine"
    )
    defer: Threshold | None = Field(
        default=None, description="Refused for now; the client tries again"
    )
    reject: Threshold | None = Field(default=None, description="Refused for good")


class Early(Section):
    """The score from which a client is refused before the end of data; absent or null: never."""

    greeting: Threshold | None = Field(
        default=None,
        description="Before the greeting, by what is known of the client's address; of a client "
        "that a trusted upstream speaks for at MAIL",
    )
    connect: Threshold | None = Field(default=None, description="At connect, HELO and MAIL")
    rcpt: Threshold | None = Field(default=None, description="At RCPT")


class Slow(Section):
    """How a client that looks bad is slowed down: it is greeted later, or its MAIL answered later.

    Once a connection.
    """

    connect: Threshold | None = Field(
        default=None,
        description="The score before the greeting, or with HELO at MAIL; absent or null: "
        "nobody is slowed",
    )
    seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = Field(
        default=10, description="How much later"
    )


class TagAction(Section):
    """How a tagged message is marked beyond its headers."""

    subject_prefix: Annotated[str, Form(r"[ -~]{1,40}", "at most 40 ASCII characters")] | None = (
        Field(
            default=None,
            description="Text put before Subject; it breaks DKIM signatures further on",
        )
    )
    force: bool = Field(
        default=False, description="Change Subject even where a valid signature covers it"
    )


class QuarantineAction(Section):
    """What quarantine means."""

    as_: Literal["mark", "redirect"] = Field(
        default="mark",
        alias="as",
        description="Marked and passed on, or sent to another address instead",
    )
    to: (
        Annotated[
            str, Form(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}", "an address like held@example.org")
        ]
        | None
    ) = Field(default=None, description="The address that redirected messages go to")


class DeferAction(Section):
    """How a client is told to try again."""

    reply: Annotated[
        str,
        Form(
            rf"4[0-9]{{2}} 4\.[0-9]{{1,3}}\.[0-9]{{1,3}} {REPLY_TEXT}",
            f"a reply like '{DEFAULT_DEFER_REPLY}', {REPLY_RULES}",
        ),
    ] = Field(
        default=DEFAULT_DEFER_REPLY,
        description="Code, enhanced code and text; {txn_id} becomes the id of the transaction",
    )


class Actions(Section):
    """How actions are carried out."""

    tag: TagAction = Field(default=TagAction(), description="How a tagged message is marked")
    quarantine: QuarantineAction = Field(
        default=QuarantineAction(), description="Whether quarantine marks or redirects"
    )
    defer: DeferAction = Field(
        default=DeferAction(), description="How a client is told to try again"
    )


class Group(Section):
    """Bounds on what the symbols of one group add up to."""

    cap: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        default=None, description="The most that the group adds"
    )
    floor: Annotated[float, Field(le=0, allow_inf_nan=False)] | None = Field(
        default=None, description="The most that the group takes away, as a negative number"
    )


class Judging(Section):
    """What a policy and its overrides can both say."""

    thresholds: Thresholds = Field(default=Thresholds(), description="Scores and their actions")
    early: Early = Field(default=Early(), description="Scores that refuse before the end of data")
    slow: Slow = Field(default=Slow(), description="How a client that looks bad is slowed down")
    actions: Actions = Field(default=Actions(), description="How actions are carried out")
    groups: dict[Name, Group] = Field(
        default={}, description="Bounds of groups of symbols, by name"
    )
    weights: dict[SymbolName, Points] = Field(
        default={},
        description="Points of symbols; 0: the symbol does not count. A rule with an action is "
        "switched off by 0 and on by 1",
    )
    headers: Literal["all", "explained", "none"] = Field(
        default="all",
        description="Whether results are written into the header of each message; explained: with "
        "X-Gatepost-Explanation, which tells what counted, what was seen and the steps to the "
        "action",
    )


class PatternEntry(Section):
    """A pattern over one view of the message; RE2 syntax, letters match in either case."""

    id: SymbolName = Field(description="The symbol of a match")
    in_: Annotated[
        str,
        Form(
            f"{'|'.join(_VIEWS)}|header:[!-9;-~]{{1,80}}(?::(?:raw|addr|name))?",
            f"header:NAME, {', '.join(_VIEWS)}",
        ),
    ] = Field(
        alias="in",
        description=f"Where it is looked for: header:NAME, {', '.join(_VIEWS)}. Behind a header, "
        ":raw is the field undecoded, :addr each address in it, :name each display name",
    )
    match: NonEmpty = Field(
        description="The pattern; (?-i) makes letters match in their own case only"
    )
    class_: SymbolClass = Field(
        default="content", alias="class", description="What it looks at (X.1245)"
    )
    kind: Kind = Field(default="other", description="Kind of spam that it speaks for")
    describe: NonEmpty = Field(description="Words for the admin")
    words: str = Field(
        default="", description="Sentence for the sender; absent: one made from `kind`"
    )
    group: Name | None = Field(default=None, description="Group whose cap and floor hold for it")
    weight: Points = Field(description="Its points")


class Match(Section):
    """Whom an override is for; every key must fit.

    `*` stands for any text, and letters match in either case.
    """

    recipient: _Mailboxes | None = Field(
        default=None, description="Recipient, such as *@sales.example.org"
    )
    recipient_domain: _Domains | None = Field(default=None, description="Domain of the recipient")
    account: Strings | None = Field(default=None, description="Login of an authenticated client")
    sender: _Senders | None = Field(default=None, description="Envelope sender; <> is the null one")
    listener: Strings | None = Field(default=None, description="Name of the listener")
    direction: Literal["inbound", "outbound", "internal"] | None = Field(
        default=None, description="Direction of the listener"
    )


class Override(Judging):
    """What differs for some messages; what it does not say stays as it is."""

    name: Name | None = Field(default=None, description="Name in logs; absent: its number")
    match: Match = Field(description="Whom it is for")


class PolicyFile(Judging):
    """A whole policy."""

    version: Literal[1] = Field(description="Version of this language: 1")
    name: Name = Field(description="Name in metrics and in logs")
    extends: str | None = Field(
        default=None,
        description="Preset or file (its path starts at this file) that this one builds on",
    )
    default_weights: bool = Field(
        default=False,
        description="Whether symbols have the weights of the shipped table where none is given "
        "here; absent: as in what this one extends",
    )
    dns_lists: tuple[DnsListEntry, ...] = Field(default=(), description="DNS lists that are asked")
    rules_packs: tuple[NonEmpty, ...] = Field(
        default=(),
        description="Packs of rules that stand below the patterns and rules of this file: shipped "
        "ones by name, others as files whose paths start at this file; replaces those of what this "
        "one extends",
    )
    patterns: tuple[PatternEntry, ...] = Field(default=(), description="Patterns over the message")
    rates: tuple[RateEntry, ...] = Field(
        default=(), description="How much may come at once; needs a store"
    )
    lists: dict[Name, ListEntry] = Field(default={}, description="Lists that rules ask, by name")
    rules: tuple[RuleEntry, ...] = Field(default=(), description="Rules over symbols and facts")
    overrides: tuple[Override, ...] = Field(
        default=(), description="What differs for some messages"
    )
    shadow: tuple[ShadowEntry, ...] = Field(
        default=(), description="Policies evaluated beside this one and never applied"
    )
    tests: tuple[CaseEntry, ...] = Field(
        default=(), description="Messages, and what must come of them: `gatepost policy test`"
    )
