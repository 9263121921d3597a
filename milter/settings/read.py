"""From a YAML file to `Settings`: every mistake at its line and column, paths made whole.

YAML is read by `policies.loader`; what the values mean together is `check`'s business.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel

from milter.settings.check import file_mistakes, mistakes
from milter.settings.model import Listener, Settings
from policies.errors import ConfigError, ConfigErrors
from policies.loader import PRESETS, Source, load

if TYPE_CHECKING:
    from milter.settings.check import Loc
    from policies.positions import Positions

_DEFAULTS: Final = "built-in settings"
_EMPTY: Final = "the file says nothing; leave -c out to run with the built-in settings"
_UNIX: Final = "unix:"
_SQLITE: Final = "sqlite:"

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Placed:
    """Settings, and where each of them stands.

    Attributes:
        settings: With relative paths made whole.
        path: The file, or what stands for it where there is none.
        positions: None where there is no file.
    """

    settings: Settings
    path: str = _DEFAULTS
    positions: Positions | None = None

    def at(self, loc: Loc, what: str) -> ConfigError:
        """Return a mistake shown at `loc`, or at the part of it that the file has."""
        if self.positions is None:
            return ConfigError(self.path, 0, 0, what)
        return self.positions.error(loc, what)


def read_settings(source: Source, path: str | None) -> Settings:
    """Return the configuration at `path`, or the defaults where there is none.

    Looks at nothing but what `source` gives, so that a worker reads what its supervisor checked.

    Raises:
        ConfigErrors: Every mistake found.
    """
    return read_placed(source, path).settings


def read_checked(source: Source, path: str | None) -> Placed:
    """Like `read_settings`, with the files looked at that the configuration names.

    Raises:
        ConfigErrors: Every mistake found.
    """
    placed = load_placed(source, path)
    _raise(wrong_values(placed))
    return placed


def wrong_values(placed: Placed) -> list[ConfigError]:
    """Return every mistake that values show, and the certificates, keys and tokens they name."""
    found = mistakes(placed.settings, placed.at) if placed.positions is not None else []
    return _in_order([*found, *file_mistakes(placed.settings, placed.at)])


def read_placed(source: Source, path: str | None) -> Placed:
    """Like `read_settings`, with the places kept for mistakes that show later.

    Raises:
        ConfigErrors: Every mistake found.
    """
    placed = load_placed(source, path)
    if placed.positions is not None:
        _raise(mistakes(placed.settings, placed.at))
    return placed


def load_placed(source: Source, path: str | None) -> Placed:
    """Like `read_placed`, whatever the values mean together.

    Raises:
        ConfigErrors: Every mistake in the shape of the file.
    """
    if path is None:
        return Placed(Settings())
    settings, positions = load(source, path, Settings)
    if not settings.model_fields_set:
        # A disk that is full, or whoever writes it at this moment, leaves such a file.
        raise ConfigErrors([ConfigError(path, 0, 0, _EMPTY)])
    return Placed(whole_paths(settings, os.path.dirname(path)), path, positions)  # noqa: PTH120


def whole_paths(settings: Settings, folder: str) -> Settings:
    """Return `settings` with relative paths starting at `folder`."""
    next_hop = settings.next_hop
    return _with(
        settings,
        listeners=tuple(_listener(folder, listener) for listener in settings.listeners),
        next_hop=_with(
            next_hop,
            hosts=tuple(_after(folder, _UNIX, host) for host in next_hop.hosts),
            tls_ca_file=_whole(folder, next_hop.tls_ca_file),
        ),
        http=settings.http
        and _with(
            settings.http,
            bind=_after(folder, _UNIX, settings.http.bind),
            token_file=_whole(folder, settings.http.token_file),
        ),
        dns=_with(settings.dns, zone_file=_whole(folder, settings.dns.zone_file)),
        policies=_policies(folder, settings.policies),
        store=settings.store and _after(folder, _SQLITE, settings.store),
        memory=_with(
            settings.memory,
            password_file=_whole(folder, settings.memory.password_file),
            ca_file=_whole(folder, settings.memory.ca_file),
        ),
        classifier=_with(settings.classifier, folder=_whole(folder, settings.classifier.folder)),
        networks=_with(
            settings.networks,
            asn_file=_whole(folder, settings.networks.asn_file),
            country_file=_whole(folder, settings.networks.country_file),
        ),
    )


def _listener(folder: str, listener: Listener) -> Listener:
    tls = listener.tls and _with(
        listener.tls,
        certificate=_whole(folder, listener.tls.certificate),
        key=_whole(folder, listener.tls.key),
    )
    return _with(listener, bind=_after(folder, _UNIX, listener.bind), tls=tls)


def _policies(folder: str, named: str | None) -> str | None:
    return named if named in PRESETS else _whole(folder, named)


def _whole(folder: str, path: str | None) -> str | None:
    return os.path.join(folder, path) if path else path  # noqa: PTH118 - text stays text


def _after(folder: str, prefix: str, value: str) -> str:
    """Return `value` with the path behind `prefix` made whole; without the prefix, as it is."""
    if not value.startswith(prefix):
        return value
    return prefix + os.path.join(folder, value.removeprefix(prefix))  # noqa: PTH118


def _raise(found: list[ConfigError]) -> None:
    if found:
        raise ConfigErrors(_in_order(found))


def _in_order(found: list[ConfigError]) -> list[ConfigError]:
    return sorted(found, key=lambda e: (e.path, e.line, e.column))


def _with(model: M, **changes: Any) -> M:
    return model.model_copy(update=changes)
