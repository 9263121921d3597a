"""What is kept of each message, and for how long: the settings under `history`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from milter.settings.section import Section


class History(Section):
    """What is kept of each message after its reply, wherever `store` is set."""

    days: float = Field(
        default=30, ge=0, le=3660, description="How long a record is kept; 0: none is written"
    )
    records: int = Field(default=100_000, ge=1, description="How many records are kept")
    total_bytes: int = Field(
        default=134_217_728, ge=65_536, description="What these records may take, packed"
    )
    addresses: Literal["plain", "hashed"] = Field(
        default="plain",
        description="Whether records have addresses, or a keyed hash in place of each local part; "
        "hashed leaves out subjects, links, file names and excerpts, too",
    )
    keep_messages: Literal["none", "refused", "all"] = Field(
        default="none",
        description="Which messages are kept whole; refused: those that were quarantined, "
        "deferred, rejected or discarded",
    )
    message_days: float = Field(default=7, gt=0, le=3660, description="How long a message is kept")
    messages: int = Field(default=10_000, ge=1, description="How many messages are kept")
    messages_total_bytes: int = Field(
        default=268_435_456, ge=65_536, description="What these messages may take, packed"
    )
    message_bytes: int = Field(
        default=1_048_576, ge=1024, description="Larger messages are not kept"
    )
