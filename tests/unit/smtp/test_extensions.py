from __future__ import annotations

import pytest

from milter.relay.protocol import Capabilities
from milter.smtp.extensions import offered_extensions

EVERYTHING = Capabilities(
    {"8BITMIME": "", "DSN": "", "SMTPUTF8": "", "REQUIRETLS": "", "BINARYMIME": "", "SIZE": "9000"}
)
OURS = ["PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING"]


def offered(
    capabilities: Capabilities | None, *, size: int = 5000, requiretls: bool = False
) -> list[str]:
    return offered_extensions(
        capabilities, size, starttls=False, requiretls=requiretls, trusted=False
    )


def test_extensions_while_the_next_hop_is_unknown_are_our_own() -> None:
    assert offered(None, requiretls=True) == ["SIZE 5000", *OURS]


@pytest.mark.parametrize(("size", "line"), [(5000, "SIZE 5000"), (10_000, "SIZE 9000")])
def test_extensions_size_is_the_smaller_one(size: int, line: str) -> None:
    assert offered(EVERYTHING, size=size)[0] == line


def test_extensions_of_the_next_hop_are_mirrored_and_binarymime_never() -> None:
    assert offered(EVERYTHING)[1:] == [*OURS, "8BITMIME", "DSN", "SMTPUTF8"]


def test_extensions_requiretls_needs_the_next_hop_and_verified_tls_on_both_sides() -> None:
    assert "REQUIRETLS" in offered(EVERYTHING, requiretls=True)
    assert "REQUIRETLS" not in offered(EVERYTHING, requiretls=False)
    assert "REQUIRETLS" not in offered(Capabilities({"DSN": ""}), requiretls=True)


def test_extensions_only_trusted_clients_hear_of_xclient() -> None:
    lines = offered_extensions(None, 1, starttls=True, requiretls=False, trusted=True)
    assert [line.split()[0] for line in lines[-3:]] == ["STARTTLS", "XCLIENT", "XFORWARD"]
