"""Policies written inside a test."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from policies.errors import ConfigError, ConfigErrors
from policies.findings import Finding
from policies.loader import load_policies
from policies.select import Context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.compile import Policy
    from policies.select import PolicySet
    from policies.sources import Source

INBOUND = Context("inbound", "inbound", "a@example.net")


class Files:
    """Files of a test, by path."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        try:
            content = self._files[path]
        except KeyError:
            raise ConfigError(path, 0, 0, "cannot be read: No such file or directory") from None
        return content if isinstance(content, bytes) else textwrap.dedent(content).encode()


def policies(text: str, **others: str | bytes) -> PolicySet:
    """Return the policies of `text`, two lines of heading put before it."""
    return load_policies(_files(text, others), "site.yaml")


def a_policy(text: str, **others: str | bytes) -> Policy:
    """Return the policy of `text` for a recipient that no override names."""
    return policies(text, **others).select(INBOUND, None)


def mistakes(text: str, **others: str | bytes) -> list[str]:
    """Return what is wrong with `text`, as a person reads it."""
    return mistakes_in(_files(text, others), "site.yaml")


def mistakes_in(source: Source, path: str) -> list[str]:
    """Return what is wrong with the policy at `path`, as a person reads it."""
    with pytest.raises(ConfigErrors) as raised:
        load_policies(source, path)
    return [str(error) for error in raised.value.errors]


def found(*symbols: str) -> list[Finding]:
    """Return findings of these symbols with details that every sentence can use."""
    details = {
        "client_ip": "192.0.2.7",
        "listed": "192.0.2.7",
        "domain": "example.org",
        "zone": "bl.example",
        "helo": "mx.example.org",
        "name": "host.example.org",
    }
    return [Finding(symbol, f"evidence of {symbol}", details) for symbol in symbols]


def _files(text: str, others: Mapping[str, str | bytes]) -> Files:
    headed = "version: 1\nname: site\n" + textwrap.dedent(text).lstrip("\n")
    named = {name.replace("_yaml", ".yaml"): content for name, content in others.items()}
    return Files({"site.yaml": headed, **named})
