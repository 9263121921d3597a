"""Results of a trusted upstream count, those of anybody else do not."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from milter.checks.upstream import UpstreamCheck
from tests.support.checks import a_transaction, looked, symbols_of

if TYPE_CHECKING:
    from milter.core.transaction import Transaction

CHECK = UpstreamCheck(["Backup.Example.org"])


def relayed() -> Transaction:
    txn = a_transaction()
    return txn._replace(connection=txn.connection._replace(relays=(ip_address("192.0.2.25"),)))


def field(text: str) -> bytes:
    return f"Authentication-Results: {text}\r\n".encode()


def test_upstream_results_become_symbols_and_facts() -> None:
    message = field(
        "backup.example.org;\r\n\tspf=fail reason=no smtp.mailfrom=a@Example.net;"
        "\r\n\tdkim=pass header.d=example.com; dmarc=none; iprev=pass policy.iprev=192.0.2.1"
    )
    evidence = looked(CHECK, message, relayed())
    assert symbols_of(evidence) == ["UPSTREAM_SPF_FAIL", "UPSTREAM_DKIM_PASS"]
    assert evidence.findings[0].details == {"domain": "example.net"}
    upstream = evidence.facts["upstream"]
    assert isinstance(upstream, list)
    assert upstream[0] == {
        "authserv_id": "backup.example.org",
        "method": "spf",
        "result": "fail",
        "domain": "example.net",
        "reason": "no",
    }
    assert len(upstream) == 4


@pytest.mark.parametrize(
    ("check", "txn", "header"),
    [
        pytest.param(CHECK, a_transaction(), "backup.example.org; spf=pass", id="a-stranger"),
        pytest.param(CHECK, relayed(), "elsewhere.example; spf=pass", id="another-name"),
        pytest.param(CHECK, relayed(), "spf=pass", id="no-name"),
        pytest.param(CHECK, relayed(), "backup.example.org (; spf=pass", id="broken"),
        pytest.param(UpstreamCheck(), relayed(), "backup.example.org; spf=pass", id="none-trusted"),
    ],
)
def test_upstream_results_that_do_not_count(
    check: UpstreamCheck, txn: Transaction, header: str
) -> None:
    evidence = looked(check, field(header), txn)
    assert (evidence.findings, dict(evidence.facts)) == ((), {})


def test_upstream_symbol_stands_once_however_often_it_is_said() -> None:
    message = field(
        "backup.example.org; dkim=pass header.d=a.example; dkim=pass header.d=b.example"
    )
    assert symbols_of(looked(CHECK, message * 30, relayed())) == ["UPSTREAM_DKIM_PASS"]
