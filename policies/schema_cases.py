"""The parts of a policy file by which it is tried: tests, and policies that run beside it."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import Field

from policies.sections import NonEmpty, Section, Strings
from policies.shapes import Form
from policies.symbols import SymbolName  # noqa: TC001 - pydantic reads it

ActionName = Literal["pass", "tag", "quarantine", "defer", "reject", "discard"]


class Sent(Section):
    """How the message of a test is sent; what is not said here is not known."""

    client_ip: (
        Annotated[str, Form(r"[0-9A-Fa-f:.]+", "an address such as 192.0.2.1", ip_address)] | None
    ) = Field(default=None, description="Address of the client")
    helo: str = Field(default="", description="Name that the client gives")
    mail_from: str | None = Field(default=None, description="Reverse path; <> for the null one")
    rcpt: Strings = Field(default=(), description="Recipient, or a list of them")
    direction: Literal["inbound", "outbound", "internal"] = Field(
        default="inbound", description="Which way it goes"
    )
    listener: str = Field(default="test", description="Name of the listener")
    account: str = Field(default="", description="Login of an authenticated client")
    dns: str | None = Field(
        default=None, description="Zone file that answers every look-up; absent: nothing is asked"
    )


class Expected(Section):
    """What must come of it; what is not said may be anything."""

    action: ActionName | None = Field(default=None, description="What is done")
    symbols: tuple[SymbolName, ...] = Field(default=(), description="Symbols that are found")
    not_symbols: tuple[SymbolName, ...] = Field(
        default=(), description="Symbols that are not found"
    )
    rule: SymbolName | None = Field(default=None, description="Rule or symbol that decides")
    reply: str | None = Field(default=None, description="Text that stands in the reply")


class CaseEntry(Section):
    """A message, how it is sent, and what must come of it."""

    name: NonEmpty = Field(description="What is shown, as a sentence")
    message: NonEmpty = Field(description="File with the message; its path starts at this file")
    with_: Sent = Field(default=Sent(), alias="with", description="How it is sent")
    expect: Expected = Field(description="What must come of it")


class ShadowEntry(Section):
    """A policy that is evaluated beside this one on every message and never applied."""

    policy: NonEmpty = Field(description="Preset or file; its path starts at this file")
    until: Annotated[
        str, Form(r"\d{4}-\d{2}-\d{2}", "a day such as 2027-01-31", date.fromisoformat)
    ] = Field(description="The last day on which it runs")
    ask: bool = Field(
        default=False,
        description="Whether it may ask DNS lists that this one does not ask; else their symbols "
        "are unknown",
    )
