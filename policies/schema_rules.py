"""The parts of a policy file that rules are made of: the rules, and the lists that they ask."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from policies.replies import REPLY_RULES, REPLY_TEXT
from policies.sections import Name, NonEmpty, Points, Section
from policies.shapes import Form
from policies.symbols import Kind, SymbolClass, SymbolName  # noqa: TC001 - pydantic reads them


class ListEntry(Section):
    """Domains, addresses and hashes that rules ask for with `in_list`."""

    domains: tuple[str, ...] = Field(
        default=(), description="Domains, each with all below it: example.net"
    )
    addresses: tuple[str, ...] = Field(
        default=(), description="Mail addresses and addresses of clients"
    )
    networks: tuple[str, ...] = Field(default=(), description="Networks such as 192.0.2.0/24")
    hashes: tuple[str, ...] = Field(default=(), description="Hashes in hexadecimal")
    file: str | None = Field(
        default=None,
        description="File with more of them, one a line, `#` begins a comment; its path starts at "
        "this file",
    )


class RuleEntry(Section):
    """A condition over symbols and facts, and what follows where it is true."""

    id: SymbolName = Field(description="Its name, and the symbol of messages that it is true of")
    when: NonEmpty = Field(description="The condition: an expression in CEL")
    weight: Points | None = Field(
        default=None, description="Its points; a rule has either these or an action"
    )
    action: Literal["pass", "tag", "quarantine", "defer", "reject", "discard"] | None = Field(
        default=None,
        description="What follows by itself; `pass` allows: the score counts as just below the "
        "lowest threshold",
    )
    reply: (
        Annotated[
            str,
            Form(
                rf"[45][0-9]{{2}} [45]\.[0-9]{{1,3}}\.[0-9]{{1,3}} {REPLY_TEXT}",
                "a reply like '550 5.7.1 Executable attachments are not accepted here', "
                f"{REPLY_RULES}",
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Reply of a defer or reject; absent: made of `words`. {txn_id} becomes the id "
        "of the transaction, which else stands at the end; {spf_explanation} what the domain of "
        "the reverse path says of its SPF fail; {wait} when a rate has room again: `in 7 minutes`, "
        "or `later`",
    )
    describe: str = Field(default="", description="Words for the admin")
    words: str = Field(
        default="", description="Sentence for the sender; absent: one made from `kind`"
    )
    class_: SymbolClass = Field(
        default="content", alias="class", description="What it looks at (X.1245)"
    )
    kind: Kind = Field(default="other", description="Kind of spam that it speaks for")
    group: Name | None = Field(default=None, description="Group whose cap and floor hold for it")
    early: bool = Field(
        default=False, description="Whether its defer or reject may fall before the end of data"
    )
    needs: Literal["dmarc.aligned", "tls.client", "account", "nothing"] | None = Field(
        default=None,
        description="What must authenticate the sender for `action: pass`; `nothing` says that "
        "anybody may pose as the one who is allowed",
    )
