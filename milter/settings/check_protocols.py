"""What may not stand together on a listener, by the protocol that it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.errors import ParseError
from milter.settings.places import parse_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milter.settings.model import Listener, Settings
    from policies.errors import ConfigError

# What has a meaning with other protocols alone.
_MEANINGLESS: Final = {
    "smtp": ("daemon_directions", "hold_quarantined"),
    "milter": ("trusted_clients", "proxy_protocol", "tls", "bare_newlines", "greeting_delay_s"),
    "spamd": (
        "trusted_clients",
        "proxy_protocol",
        "tls",
        "recipient_domains",
        "differing_recipients",
        "bare_newlines",
        "greeting_delay_s",
        "daemon_directions",
        "hold_quarantined",
    ),
}


def protocol_mistakes(
    settings: Settings, at: Callable[[tuple[str | int, ...], str], ConfigError]
) -> Iterator[ConfigError]:
    """Yield every mistake about what only some listeners have, and about who may ask them."""
    for i, listener in enumerate(settings.listeners):
        for key in _MEANINGLESS[listener.protocol]:
            if getattr(listener, key) != _default(listener, key):
                what = f"`{key}` has no meaning with `protocol: {listener.protocol}`"
                yield at(("listeners", i, key), what)
        asked = listener.protocol != "smtp"
        if asked and listener.clients is None and not _is_local(listener):
            yield at(
                ("listeners", i),
                f"anybody could ask listener `{listener.name}` and have it work: name your mail "
                "servers in `clients`, or bind loopback or a unix socket",
            )


def _default(listener: Listener, key: str) -> object:
    field = type(listener).model_fields[key]
    return field.get_default(call_default_factory=True)


def _is_local(listener: Listener) -> bool:
    try:
        return parse_place(listener.bind).is_local
    except ParseError:
        return True  # told elsewhere, as that
