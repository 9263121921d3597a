"""What may not stand together in a configuration: above all, no open relay (RFC 2505 §2.1).

`mistakes` looks at the values alone; `file_mistakes` at the files that they name. Both return what
they find, each at its place, and neither opens a socket.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milter.core.address import parse_mailbox
from milter.core.connection import Direction
from milter.core.errors import ParseError
from milter.settings.certificates import end_of
from milter.settings.check_protocols import protocol_mistakes
from milter.settings.places import Place, parse_place
from milter.settings.urls import has_password
from policies.errors import ConfigError

if TYPE_CHECKING:
    from milter.settings.model import Listener, Network, Settings, TlsFiles

Loc = tuple[str | int, ...]
# Makes the mistake at a place of the file: path of keys, and words.
At = Callable[[Loc, str], ConfigError]

_STORES: Final = ("sqlite:", "redis://", "rediss://")
# What is counted for finding a record, beside the record: rows of its words, of which a message to
# one recipient has about eleven. And how much of a file the history may take: lessons take a fifth
# at most, the rest is for what checks ask about.
_INDEX_BYTES: Final = 1500
_HISTORY_SHARE: Final = 0.6


def mistakes(settings: Settings, at: At) -> list[ConfigError]:
    """Return every mistake that the values of `settings` show, in the order of its sections."""
    found: list[ConfigError] = []
    for rule in (
        _listeners,
        _overlaps,
        _open_relays,
        _proxy_headers,
        _next_hop,
        _bounds,
        _names,
        _places,
        _relays,
        _upstreams,
        _memory,
        _history,
        protocol_mistakes,
    ):
        found += rule(settings, at)
    return found


def file_mistakes(settings: Settings, at: At) -> list[ConfigError]:
    """Return every mistake in the certificates, keys and token that `settings` names."""
    found: list[ConfigError] = []
    for i, listener in enumerate(settings.listeners):
        if listener.tls is not None:
            found += _certificate(listener.tls, ("listeners", i, "tls"), at)
    if settings.next_hop.tls_ca_file:
        loc = ("next_hop", "tls_ca_file")
        found += _authorities(settings.next_hop.tls_ca_file, loc, at)
    if settings.http and settings.http.token_file:
        found += _token(settings.http.token_file, ("http", "token_file"), at)
    if settings.memory.password_file:
        found += _token(settings.memory.password_file, ("memory", "password_file"), at)
    if settings.memory.ca_file:
        found += _authorities(settings.memory.ca_file, ("memory", "ca_file"), at)
    return found


def _listeners(settings: Settings, at: At) -> Iterator[ConfigError]:
    names = Counter(listener.name for listener in settings.listeners)
    binds = Counter(_canonical(listener.bind) for listener in settings.listeners)
    for i, listener in enumerate(settings.listeners):
        if names[listener.name] > 1:
            yield at(
                ("listeners", i, "name"),
                f"two listeners are called `{listener.name}`: give each a name of its own",
            )
        if binds[_canonical(listener.bind)] > 1:
            yield at(
                ("listeners", i, "bind"),
                f"two listeners bind {listener.bind}: give each an address of its own",
            )
        if _everybody(listener.trusted_clients):
            yield at(
                ("listeners", i, "trusted_clients"),
                "`trusted_clients` names everybody: who is trusted can claim any address and login",
            )
    if settings.http and _canonical(settings.http.bind) in binds:
        yield at(("http", "bind"), f"a listener binds {settings.http.bind} already")


def _overlaps(settings: Settings, at: At) -> Iterator[ConfigError]:
    """Find addresses that another one takes in: the second of the two cannot be opened."""
    binds: list[tuple[Loc, str]] = [
        (("listeners", i, "bind"), listener.bind) for i, listener in enumerate(settings.listeners)
    ]
    if settings.http:
        binds.append((("http", "bind"), settings.http.bind))
    for (_, bind), (loc, other) in permutations(binds, 2):
        wide, narrow = _place(bind), _place(other)
        if wide and narrow and wide != narrow and wide.takes_in(narrow):
            yield at(loc, f"{bind} takes in {other}, so that only one of them can be listened on")


def _open_relays(settings: Settings, at: At) -> Iterator[ConfigError]:
    for i, listener in enumerate(settings.listeners):
        if listener.protocol != "smtp":
            continue  # it relays nothing
        if listener.direction is Direction.INBOUND:
            if not listener.recipient_domains and _open_to_strangers(listener):
                yield at(
                    ("listeners", i),
                    f"listener `{listener.name}` would relay for everybody: set "
                    "`recipient_domains`, or `clients` to loopback or single hosts",
                )
        elif not listener.bind.startswith("unix:") and _unbounded(listener):
            yield at(
                ("listeners", i, "clients"),
                f"listener `{listener.name}` is {listener.direction} and relays to anywhere: "
                "name in `clients` the networks that may use it",
            )


def _proxy_headers(settings: Settings, at: At) -> Iterator[ConfigError]:
    """Find listeners whose bounds on who connects say nothing of who sends the mail."""
    for i, listener in enumerate(settings.listeners):
        if not listener.proxy_protocol:
            continue
        loc = ("listeners", i, "proxy_protocol")
        if not listener.trusted_clients:
            what = "`proxy_protocol` needs `trusted_clients`: anybody else could claim any address"
            yield at(loc, what)
        if listener.direction is not Direction.INBOUND:
            yield at(
                loc,
                "`proxy_protocol` is for inbound listeners: it tells an address, not who may send "
                "to anywhere; the login of an authenticated client comes by XCLIENT",
            )
        elif not listener.recipient_domains:
            yield at(
                loc,
                f"`proxy_protocol` brings strangers to listener `{listener.name}`: "
                "set `recipient_domains`",
            )


def _next_hop(settings: Settings, at: At) -> Iterator[ConfigError]:
    hop = settings.next_hop
    binds = {_canonical(listener.bind): listener.name for listener in settings.listeners}
    for i, host in enumerate(hop.hosts):
        if name := binds.get(_canonical(host)):
            yield at(
                ("next_hop", "hosts", i),
                f"{host} is our own listener `{name}`: mail would go round for ever",
            )
        place = _place(host)
        if place and not place.path and not (place.host and place.port):
            yield at(("next_hop", "hosts", i), f"a next hop needs host and port, not '{host}'")
    if hop.tls_ca_file and hop.tls != "verify":
        yield at(("next_hop", "tls_ca_file"), "`tls_ca_file` has a meaning only with `tls: verify`")


def _bounds(settings: Settings, at: At) -> Iterator[ConfigError]:
    limits = settings.limits
    if limits.bytes_in_flight < limits.message_bytes:
        yield at(
            ("limits", "bytes_in_flight"),
            f"`bytes_in_flight` ({limits.bytes_in_flight}) must hold one message of "
            f"`message_bytes` ({limits.message_bytes})",
        )
    if limits.line_bytes > limits.message_bytes:
        yield at(("limits", "line_bytes"), "`line_bytes` is larger than `message_bytes`")


def _names(settings: Settings, at: At) -> Iterator[ConfigError]:
    for key, name in (("authserv_id", settings.authserv_id), ("hostname", settings.hostname)):
        if name is not None and not _is_domain(name):
            yield at((key,), f"`{key}` needs a name such as mx.example.org, not '{name}'")
    for i, domain in enumerate(settings.trusted_sealers):
        if not _is_domain(domain):
            what = f"`trusted_sealers` needs names such as lists.example.org, not '{domain}'"
            yield at(("trusted_sealers", i), what)
    for i, domain in enumerate(settings.protected_domains):
        if not _is_domain(domain):
            what = f"`protected_domains` needs names such as example.org, not '{domain}'"
            yield at(("protected_domains", i), what)
    for i, listener in enumerate(settings.listeners):
        for j, domain in enumerate(listener.recipient_domains):
            if not _is_domain(domain.removeprefix("*.")):
                yield at(
                    ("listeners", i, "recipient_domains", j),
                    f"`recipient_domains` needs names such as example.org, not '{domain}'",
                )


def _places(settings: Settings, at: At) -> Iterator[ConfigError]:
    named: list[tuple[Loc, str]] = [
        (("listeners", i, "bind"), listener.bind) for i, listener in enumerate(settings.listeners)
    ]
    named += [(("next_hop", "hosts", i), host) for i, host in enumerate(settings.next_hop.hosts)]
    if settings.http:
        named.append((("http", "bind"), settings.http.bind))
    for loc, text in named:
        try:
            parse_place(text)
        except ParseError as err:
            yield at(loc, f"{err.what}, not '{text}'")
    if settings.store is not None and not settings.store.startswith(_STORES):
        needed = "sqlite:PATH or redis://host:port/0"
        yield at(("store",), f"`store` needs {needed}, not '{settings.store}'")


def _relays(settings: Settings, at: At) -> Iterator[ConfigError]:
    # Who is in it chooses for whom a message is judged.
    if _everybody(settings.trusted_relays):
        what = "`trusted_relays` names everybody: name the hosts that are your own"
        yield at(("trusted_relays",), f"{what}, for they are believed to say from whom mail came")


def _upstreams(settings: Settings, at: At) -> Iterator[ConfigError]:
    if settings.trusted_authserv_ids and not settings.trusted_relays:
        what = "`trusted_authserv_ids` counts on mail of `trusted_relays` alone: name those, too"
        yield at(("trusted_authserv_ids",), what)


def _memory(settings: Settings, at: At) -> Iterator[ConfigError]:
    if settings.store is not None and has_password(settings.store):
        what = "a password stands in `store`: put it into a file and name that"
        yield at(("store",), f"{what} in `memory.password_file`")
    for i, address in enumerate(settings.memory.spamtraps):
        try:
            parse_mailbox(address)
        except ParseError:
            what = f"`spamtraps` needs addresses such as trap@example.org, not '{address}'"
            yield at(("memory", "spamtraps", i), what)


def _history(settings: Settings, at: At) -> Iterator[ConfigError]:
    """Yield what would fill a file: streams make room for what is appended to them alone."""
    history, file = settings.history, (settings.store or "").startswith("sqlite:")
    if not file or not history.days:
        return
    wanted = history.total_bytes + history.records * _INDEX_BYTES
    if history.keep_messages != "none":
        wanted += history.messages_total_bytes
    room = int(settings.memory.max_bytes * _HISTORY_SHARE)
    if wanted > room:
        what = f"the history may take {wanted} bytes, index included, and has room for {room}:"
        advice = "lower `records`, `total_bytes` or `messages_total_bytes`, or raise"
        yield at(("history",), f"{what} {advice} `memory.max_bytes`")


def _open_to_strangers(listener: Listener) -> bool:
    place = _place(listener.bind)
    if place is None or place.is_local or listener.proxy_protocol:
        # What is no address at all is told once, as that; and so is the rule for PROXY headers.
        return False
    return listener.clients is None or not all(
        network.is_loopback or network.num_addresses == 1 for network in listener.clients
    )


def _unbounded(listener: Listener) -> bool:
    return listener.clients is None or _everybody(listener.clients)


def _everybody(networks: tuple[Network, ...]) -> bool:
    """Whether one family is named whole, in however many pieces."""
    v4 = collapse_addresses(net for net in networks if isinstance(net, IPv4Network))
    v6 = collapse_addresses(net for net in networks if isinstance(net, IPv6Network))
    return any(net.prefixlen == 0 for net in v4) or any(net.prefixlen == 0 for net in v6)


def _canonical(bind: str) -> str:
    place = _place(bind)
    # Port 0 asks for any free port, so that two of them do not collide.
    return bind if place is None or not (place.path or place.port) else repr(place)


def _place(bind: str) -> Place | None:
    try:
        return parse_place(bind)
    except ParseError:
        return None


def _is_domain(name: str) -> bool:
    try:
        parse_mailbox(f"postmaster@{name}")
    except ParseError:
        return False
    return not name.startswith("[")


def _certificate(tls: TlsFiles, loc: Loc, at: At) -> list[ConfigError]:
    unread = [
        at((*loc, name), f"{path} cannot be read: {why}")
        for name, path in (("certificate", tls.certificate), ("key", tls.key))
        if (why := _unreadable(path))
    ]
    if unread:
        return unread
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An encrypted key would ask at the terminal; a daemon has nobody to answer.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (OSError, ValueError):
        what = f"{tls.certificate} and {tls.key} are no PEM certificate and its key"
        return [at((*loc, "certificate"), what)]
    return _end(tls, (*loc, "certificate"), at)


def _end(tls: TlsFiles, loc: Loc, at: At) -> list[ConfigError]:
    try:
        end_of(Path(tls.certificate).read_bytes())
    except ValueError:
        what = f"{tls.certificate} is no plain PEM certificate: when it ends cannot be told"
        return [at(loc, f"{what}; `openssl x509 -in OLD -out NEW` writes one")]
    return []


def _authorities(path: str, loc: Loc, at: At) -> list[ConfigError]:
    if why := _unreadable(path):
        return [at(loc, f"{path} cannot be read: {why}")]
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        return [at(loc, f"{path} holds no PEM certificates")]
    return []


def _token(path: str, loc: Loc, at: At) -> list[ConfigError]:
    if why := _unreadable(path):
        return [at(loc, f"{path} cannot be read: {why}")]
    if not Path(path).read_bytes().strip():
        return [at(loc, f"{path} is empty: put the secret into it")]
    return []


def _unreadable(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as err:
        return getattr(err, "strerror", None) or str(err)
    return ""
