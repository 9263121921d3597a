"""Who may connect to a socket in the file system; the same for every port that may be one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

SocketMode = Annotated[
    str | None,
    Field(
        pattern="^[0-7]{3}$",
        description='Who may connect to a unix socket, such as "660", in quotes; absent: what the '
        "process's umask leaves",
    ),
]
SocketOwner = Annotated[
    str | None,
    Field(
        pattern="^[^:]*(:[^:]+)?$",
        description="Owner of a unix socket: user, user:group or :group; absent: as the process",
    ),
]
