"""The store that a configuration names, opened to be read by a command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from milter.cli import EXIT_INPUT, Misconfigured
from milter.memory.opening import home_of
from milter.settings.read import read_settings
from policies.loader import FileSource
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.settings import Settings
    from reputation.store import Store


class UnreadableStore(click.ClickException):
    """The store does not answer, or is not there yet."""

    exit_code = EXIT_INPUT


def no_store(path: str | None) -> Misconfigured:
    """Return what is told where the configuration at `path`, or no configuration, has no store."""
    if path is None:
        return Misconfigured(
            "no configuration is named, so there is no `store`: say -c FILE, or set GATEPOST_CONFIG"
        )
    return Misconfigured(
        f"{path} names no `store`, so nothing is remembered; for instance "
        "`store: sqlite:state/gatepost.db`"
    )


@contextmanager
def opened_store(path: str | None) -> Iterator[tuple[Store, Settings]]:
    """Give the store of the configuration at `path`, and its settings."""
    source = FileSource()
    settings = read_settings(source, path)
    file = settings.memory.password_file
    home = home_of(settings, source.read(file) if file else b"")
    if home is None:
        raise no_store(path)
    try:
        # Looking shall not make a file where there is none.
        home.examine()
        if home.path is not None and not home.path.exists():
            raise UnreadableStore(f"{home.path} does not exist yet: nothing is remembered")
        store = home.open()
        try:
            yield store, settings
        finally:
            store.close()
    except StoreError as err:
        raise UnreadableStore(err.what) from err
