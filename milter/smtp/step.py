"""What a session answers to a command, and what the protocol does next."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from milter.core.reply import Reply


class Next(Enum):
    """What the protocol does after it has sent the reply."""

    DATA = "read a message up to its dot"
    CHUNK = "read a chunk of known size"
    STARTTLS = "start TLS"
    CLOSE = "close the connection"


class Step(NamedTuple):
    """The answer to a command; a tuple, because every command makes one.

    Attributes:
        reply: None when it comes after what `next` asks for.
        next: What the protocol does now; None: it reads the next command.
        chunk: Bytes of the chunk to read.
        last: Whether the chunk is the last of its message.
    """

    reply: Reply | None
    next: Next | None = None
    chunk: int = 0
    last: bool = False
