"""What several commands take in the same way."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from milter.core.address import domain_key
from milter.dns.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable

# Where the unit, the image and the README have it.
USUAL_CONFIGURATION: Final = "/etc/gatepost/gatepost.yaml"
_VARIABLE: Final = "GATEPOST_CONFIG"
# RFC 1123 §2.1: letters, digits and hyphens.
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# What people paste around a domain: the scheme and the path of a web address, angle brackets.
_WRAPPED: Final = re.compile(r"\A[a-z]+://|[/>:].*\Z", re.IGNORECASE | re.DOTALL)
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


def domain_named(_context: click.Context, _argument: click.Parameter, text: str | None) -> str:
    """Return the domain that an argument or option names, as `domain_key`; absent: empty.

    Raises:
        BadParameter: It is none.
    """
    if text is None:
        return ""
    if _is_domain(text):
        return domain_key(text)
    meant = _WRAPPED.sub("", text.rpartition("@")[2])
    hint = f": did you mean {meant}?" if _is_domain(meant) else ""
    raise click.BadParameter(f"{text!r} is no domain name{hint}")


def _is_domain(text: str) -> bool:
    """Return whether `text` can be registered: `canonical_name` takes any octets."""
    name = canonical_name(text)
    labels = name.split(".") if name else []
    # RFC 1123 §2.1: a name whose last label is a number is an address.
    return len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
