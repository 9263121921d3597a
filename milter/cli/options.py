"""What several commands take in the same way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

# Where the unit, the image and the README have it.
USUAL_CONFIGURATION: Final = "/etc/gatepost/gatepost.yaml"
_VARIABLE: Final = "GATEPOST_CONFIG"
# More are in no history.
MOST: Final = 1_000_000_000


def configuration_option(
    words: str, name: str = "path"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that names the configuration of the daemon.

    Args:
        words: What it is asked for, a sentence without its end.
        name: Of the argument.
    """
    help_ = f"{words}; absent: ${_VARIABLE}, or {USUAL_CONFIGURATION}."
    return click.option(*("-c", name), metavar="FILE", envvar=_VARIABLE, default=_usual, help=help_)


def limit_type() -> click.IntRange:
    """Return the type of how many messages are shown."""
    return click.IntRange(min=1, max=MOST)


def usual_configuration() -> str | None:
    """Return the configuration that holds where no option names one."""
    return os.environ.get(_VARIABLE) or _usual()


def _usual() -> str | None:
    return USUAL_CONFIGURATION if Path(USUAL_CONFIGURATION).exists() else None
