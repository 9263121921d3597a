"""Configuration of the daemon: every field is described here, docs/settings.md is made from it.

This module knows what may be said and what it means. Reading and the positions of mistakes are
`read`'s business; what may not stand together (an open relay, two listeners on one address) is told
by `check`.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import Field

from milter.core.connection import Direction
from milter.settings.enclosed import EnclosedFiles
from milter.settings.history import History
from milter.settings.http import Http
from milter.settings.networks import Networks
from milter.settings.reload import Reload
from milter.settings.section import Section
from milter.settings.sockets import SocketMode, SocketOwner  # noqa: TC001 - read by pydantic
from milter.settings.statistics import Statistics
from milter.settings.traces import Traces

Network = IPv4Network | IPv6Network


class TlsFiles(Section):
    """Certificate and key of a listener."""

    certificate: str = Field(description="PEM file with the certificate and its chain")
    key: str = Field(description="PEM file with the private key")


class Listener(Section):
    """One address that takes mail."""

    name: str = Field(description="Name in logs, metrics and policies")
    protocol: Literal["smtp", "milter", "spamd"] = Field(
        default="smtp",
        description="smtp: mail goes through us; milter: a mail server asks us; spamd: what speaks "
        "with SpamAssassin's spamd asks us (spamc, Exim)",
    )
    bind: str = Field(description="host:port, [v6]:port or unix:/path")
    socket_mode: SocketMode = None
    socket_owner: SocketOwner = None
    direction: Direction = Field(
        default=Direction.INBOUND, description="inbound, outbound or internal"
    )
    clients: tuple[Network, ...] | None = Field(
        default=None, description="Who may connect; absent: everybody (inbound only)"
    )
    trusted_clients: tuple[Network, ...] = Field(
        default=(), description="Who may send XCLIENT, XFORWARD or PROXY; nobody else may"
    )
    proxy_protocol: bool = Field(
        default=False,
        description="Whether every connection begins with a PROXY header, version 1 or 2; on an "
        "inbound listener with recipient_domains only",
    )
    tls: TlsFiles | None = Field(default=None, description="Offers STARTTLS; absent: not offered")
    recipient_domains: tuple[str, ...] = Field(
        default=(),
        description="Domains that mail is taken for; an inbound listener open to others needs them",
    )
    differing_recipients: Literal["separate", "quarantine", "strictest"] = Field(
        default="separate",
        description="What happens where recipients of one message differ in policy",
    )
    bare_newlines: Literal["refuse", "normalise"] = Field(
        default="refuse", description="A bare CR or LF in a message: 550 5.5.2, or made CRLF"
    )
    greeting_delay_s: float = Field(
        default=0.0,
        ge=0,
        le=30,
        description="Pause before the greeting; who speaks in it is an early talker",
    )
    daemon_directions: dict[str, Direction] = Field(
        default_factory=dict,
        description="milter: direction by the mail server's {daemon_name} (Postfix: "
        "milter_macro_daemon_name), before anything else; with none, mail of who logged in and of "
        "this machine's own users is outbound on an inbound listener",
    )
    hold_quarantined: bool = Field(
        default=False,
        description="milter: whether quarantined mail waits in the mail server's own quarantine "
        "(Postfix: the hold queue) instead of being delivered with its mark",
    )


class NextHop(Section):
    """Where mail goes after the verdict."""

    hosts: tuple[str, ...] = Field(
        default=("127.0.0.1:10026",),
        min_length=1,
        description="host:port or unix:/path, tried in this order",
    )
    protocol: Literal["smtp", "lmtp"] = Field(
        default="smtp", description="What the next hop speaks"
    )
    tls: Literal["none", "may", "verify"] = Field(
        default="none", description="STARTTLS towards the next hop"
    )
    tls_ca_file: str | None = Field(
        default=None, description="PEM file of the CAs that `verify` trusts"
    )
    pass_client: Literal["none", "xforward", "xclient", "proxy"] = Field(
        default="xforward", description="How the next hop is told who the client is"
    )
    # From MAIL on each session holds one, however long its client says nothing; fewer of them than
    # sessions would let a few idle clients keep out all others.
    connections: int = Field(
        default=1000,
        ge=1,
        description="Connections at once, a worker; fewer than `limits.sessions` let idle clients"
        " keep others out, with 451",
    )
    idle_s: float = Field(
        default=60, ge=0, description="Seconds for which an unused connection is kept"
    )


class Dns(Section):
    """How names are asked for, and for how long answers are kept."""

    nameservers: tuple[str, ...] = Field(
        default=(),
        description="host:port of each resolver, the preferred one first; absent: those of the"
        " system",
    )
    timeout_s: float = Field(default=2.0, gt=0, le=30, description="Seconds for one try")
    attempts: int = Field(
        default=2, ge=1, le=3, description="Tries at a server that does not answer (RFC 9520 §3.1)"
    )
    in_flight: int = Field(
        default=512,
        ge=1,
        le=10_000,
        description="Questions at once, a worker; more wait, and clients take turns",
    )
    mixed_case: bool = Field(
        default=True,
        description="Ask in a random mix of capitals, so that answers are harder to forge; false"
        " for a resolver that does not repeat it",
    )
    cache_entries: int = Field(default=50_000, ge=0, description="Answers kept, a worker")
    cache_bytes: int = Field(
        default=33_554_432, ge=0, description="Memory for these answers, about, a worker"
    )
    min_ttl_s: int = Field(
        default=5, ge=0, le=300, description="Least life of an answer; one with TTL 0 is not kept"
    )
    max_ttl_s: int = Field(
        default=86_400, ge=1, le=604_800, description="Longest life of an answer (RFC 8767 §4)"
    )
    max_negative_ttl_s: int = Field(
        default=3_600, ge=1, le=10_800, description="Longest life of 'there is none' (RFC 2308 §5)"
    )
    stale_s: int = Field(
        default=86_400,
        ge=0,
        le=604_800,
        description="How long after its life an answer may stand in while nobody can be asked"
        " (RFC 8767 §5); 0: never",
    )
    zone_file: str | None = Field(
        default=None,
        description="YAML zone that answers instead of any server; for tries and tests",
    )


class Memory(Section):
    """The store, and what is kept in it."""

    timeout_s: float = Field(
        default=0.5,
        gt=0,
        le=10,
        description="Seconds for which a question to the store waits; then its check is in "
        "temperror. Who was served already is asked for at least 2 s long",
    )
    max_bytes: int = Field(
        default=1_073_741_824,
        ge=1_048_576,
        description="What a file may grow to; then what would expire first makes room. A server "
        "has a bound of its own (maxmemory)",
    )
    password_file: str | None = Field(default=None, description="File with the server's password")
    ca_file: str | None = Field(
        default=None, description="PEM file of the CAs that may vouch for a rediss:// server"
    )
    spamtraps: tuple[str, ...] = Field(
        default=(),
        description="Addresses that nobody ever gave to anybody: who writes to one loses "
        "standing, and is told nothing of it",
    )
    subjects: Literal["plain", "hashed"] = Field(
        default="plain",
        description="Whether addresses and domains are kept as they are or only as a keyed hash",
    )


class Classifier(Section):
    """The classifier that learns. It has a place for its files wherever `store` is set."""

    folder: str | None = Field(
        default=None,
        description="Where its files lie; absent: `classifier` beside the file of the store. With "
        "a server as store it is needed, on a disk of this machine",
    )
    learn_from_verdicts: bool = Field(
        default=False,
        description="Learn from messages about which all other evidence is sure and the classifier "
        "leans the same way: 3 a day of one sender, 200 a day of ham and of spam",
    )


class Spf(Section):
    """What one evaluation of SPF may cost (RFC 7208 §4.6.4)."""

    terms: int = Field(default=10, ge=1, le=100, description="Terms that ask the DNS")
    void_lookups: int = Field(
        default=2, ge=0, le=100, description="Questions of these terms that may have no answer"
    )
    mx_names: int = Field(default=10, ge=1, le=100, description="MX names of one term")
    ptr_names: int = Field(default=10, ge=1, le=100, description="Reverse names looked at")


class Limits(Section):
    """Bounds; those on bytes and sessions hold over all workers."""

    message_bytes: int = Field(default=52_428_800, ge=1024, description="Largest message")
    bytes_in_flight: int = Field(
        default=536_870_912, ge=1024, description="Bytes of messages held at once"
    )
    sessions: int = Field(default=1000, ge=1, description="Connections at once")
    sessions_per_client: int = Field(
        default=50,
        ge=1,
        description="Connections at once from one address; trusted clients are exempt",
    )
    recipients: int = Field(
        default=1000, ge=100, description="Recipients of one message (RFC 5321 §4.5.3.1.8)"
    )
    budget_s: float = Field(
        default=20.0, gt=0, le=300, description="Seconds for the checks of one message"
    )
    line_bytes: int = Field(default=1_048_576, ge=1000, description="Longest line of a message")
    commands: int = Field(
        default=1000, ge=10, description="Commands of a session that do not move a message forward"
    )
    errors: int = Field(
        default=20, ge=1, description="Refused or unknown commands before a session ends"
    )
    command_timeout_s: float = Field(
        default=300, gt=0, description="Wait for a command (RFC 5321 §4.5.3.2.7)"
    )
    data_timeout_s: float = Field(default=180, gt=0, description="Wait for more of a message")
    drain_s: float = Field(
        default=30,
        ge=0,
        le=600,
        description="Seconds for which a stopping worker finishes its messages",
    )
    silent_s: int = Field(
        default=120,
        ge=15,
        le=86_400,
        description="Seconds for which the event loop of a worker may stand still; then it is "
        "killed and started anew, and its clients try again",
    )


class Log(Section):
    """Logging."""

    format: Literal["json", "text"] = Field(
        default="json", description="One JSON object or plain words a line"
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level"
    )
    addresses: Literal["plain", "hashed"] = Field(
        default="plain",
        description="Whether mail addresses stand in the log or only a keyed hash of them",
    )


class Settings(Section):
    """The whole configuration of one daemon."""

    listeners: tuple[Listener, ...] = Field(
        default=(Listener(name="inbound", bind="127.0.0.1:10025"),),
        min_length=1,
        description="Addresses that take mail",
    )
    next_hop: NextHop = Field(default=NextHop(), description="Where mail goes after the verdict")
    trusted_relays: tuple[Network, ...] = Field(
        default=(),
        description="Our own backup MXs, forwarders and list servers: mail that they pass on is "
        "judged by the client before them, found in their Received fields",
    )
    trusted_authserv_ids: tuple[str, ...] = Field(
        default=(),
        description="Whose Authentication-Results are believed on mail that `trusted_relays` pass "
        "on; these hosts must remove fields that strangers wrote in their name",
    )
    trusted_sealers: tuple[str, ...] = Field(
        default=(),
        description="Domains whose ARC seals are believed, those below them too: what they saw "
        "pass DMARC is not held against a message that they forwarded",
    )
    protected_domains: tuple[str, ...] = Field(
        default=(),
        description="Domains that others pretend to be, beside those of the recipients and widely "
        "imitated ones: what looks like them in author, Reply-To and links is told",
    )
    dns: Dns = Field(default=Dns(), description="How names are asked for")
    spf: Spf = Field(default=Spf(), description="What one evaluation of SPF may cost")
    policies: str | None = Field(
        default=None,
        description="Policy file, or folder with policy.yaml; absent: the preset `balanced`",
    )
    store: str | None = Field(
        default=None,
        description="sqlite:PATH, redis://host:port/0, or rediss:// with TLS; absent: nothing is "
        "remembered",
    )
    memory: Memory = Field(default=Memory(), description="The store, and what is kept in it")
    history: History = Field(
        default=History(), description="What is kept of each message after its reply"
    )
    classifier: Classifier = Field(default=Classifier(), description="The classifier that learns")
    enclosed: EnclosedFiles = Field(
        default=EnclosedFiles(), description="What documents and pictures say"
    )
    networks: Networks = Field(
        default=Networks(), description="Tables of networks and countries of addresses"
    )
    statistics: Statistics = Field(default=Statistics(), description="What statistics show")
    traces: Traces = Field(default=Traces(), description="Traces of transactions (OpenTelemetry)")
    http: Http | None = Field(
        default=Http(), description="Metrics, health, page and scan API; null: none"
    )
    reload: Reload = Field(
        default=Reload(), description="Reading the configuration again while mail is taken"
    )
    workers: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        default="auto", description="Worker processes; auto: one per core"
    )
    limits: Limits = Field(default=Limits(), description="Bounds")
    authserv_id: str | None = Field(
        default=None, description="Our name in Authentication-Results; absent: the host's name"
    )
    hostname: str | None = Field(
        default=None, description="Our name in greeting and EHLO; absent: the host's name"
    )
    log: Log = Field(default=Log(), description="Logging")
