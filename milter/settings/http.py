"""Settings of the HTTP port."""

from __future__ import annotations

from pydantic import Field

from milter.core.connection import Direction
from milter.settings.section import Section
from milter.settings.sockets import SocketMode, SocketOwner  # noqa: TC001 - read by pydantic


class Http(Section):
    """Metrics, health, page and scan API."""

    bind: str = Field(default="127.0.0.1:11380", description="host:port, [v6]:port or unix:/path")
    socket_mode: SocketMode = None
    socket_owner: SocketOwner = None
    token_file: str | None = Field(
        default=None,
        description="File with the token that learning and history ask for, and scanning from "
        "beyond this machine; a unix socket counts as one",
    )
    direction: Direction = Field(
        default=Direction.INBOUND,
        description="Direction of scanned messages; mail of who logged in is outbound on an "
        "inbound one",
    )
    requests_per_s: float = Field(
        default=50.0,
        gt=0,
        le=10_000,
        description="Requests a second from one address beyond this machine, over some seconds; "
        "more are told 429",
    )
    connections: int = Field(
        default=400,
        ge=1,
        description="Connections at once from beyond this machine, and as many from it; more are "
        "told 503",
    )
    connections_per_client: int = Field(
        default=50,
        ge=1,
        description="Connections at once from one address beyond this machine (an IPv6 /64 is one)",
    )
    header_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=300,
        description="From the first byte of a request to the end of its header; more is told 408",
    )
    idle_timeout_s: float = Field(
        default=15.0, gt=0, le=3600, description="Wait for a request on an open connection"
    )
    body_bytes_per_s: float = Field(
        default=1000.0,
        gt=0,
        description="Least rate of a message; slower over 10 seconds is told 408",
    )
