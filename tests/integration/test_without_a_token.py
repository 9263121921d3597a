"""Whoever has no token is told sums, and nothing that points to a person or a message.

Everything that the OpenAPI document of a running daemon names is asked, in every way that it
names, as from this machine and as from beyond it.
"""

from __future__ import annotations

import http.client
import itertools
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from milter.http.catalogue import OF_SUPERVISOR, OF_WORKERS
from milter.http.endpoint import Access
from tests.support import scripted_day as day
from tests.support.gatepost import running_gatepost
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.gatepost import Gatepost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MAILS = day.script(20)
# What a caller posts is his own, and may come back to him.
POSTED = (
    b"From: <caller@posted.example>\r\nTo: <x@posted.example>\r\nSubject: posted\r\n\r\nposted\r\n"
)
SECRETS = [
    *(address.rpartition(".")[0] + "." for address in day.SOURCES),
    *{mail.subject for mail in MAILS if mail.subject},
    *(
        "someone@",
        "bob@",
        "trap@",
        "bot@",
        "sender.example",
        "example.org>",
        '"recipient_domain": {',
        "committee met",
    ),
    *("@x.example", "Комитет", "203.0.113"),
]
CALLERS = {
    "this machine": {},
    "this machine, with a wrong token": {"Authorization": "Bearer wrong"},
    "this machine, with a wrong password": {"Password": "wrong"},
    "beyond it": {"X-Forwarded-For": "198.51.100.77"},
    "beyond it, as Forwarded": {"Forwarded": "for=198.51.100.77"},
    "beyond it, as X-Real-IP": {"X-Real-IP": "198.51.100.77"},
    # Only our own supervisor may say who calls, and only over its socket.
    "beyond it, as our own": {"X-Forwarded-For": "8.8.8.8", "X-Gatepost-Caller": "socket"},
    "this machine, as our own": {"X-Gatepost-Caller": "socket"},
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gatepost]:
    folder: Path = tmp_path_factory.mktemp("token")
    with running_sink() as sink:
        config, files = day.a_site(folder, f"127.0.0.1:{sink.port}")
        with running_gatepost(config, files) as daemon:
            day.send(daemon.port, MAILS)
            wait_until(lambda: len(recorded(daemon)) == len(MAILS))
            yield daemon


def ask(
    daemon: Gatepost, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, str]:
    """Return the status, and headers and body as one text."""
    with closing(http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=30)) as line:
        line.request(method, path, body or None, dict(headers))
        answer = line.getresponse()
        told = answer.read().decode("utf-8", "replace")
        return answer.status, f"{answer.headers}\n{told}"


def recorded(daemon: Gatepost) -> list[dict[str, Any]]:
    with closing(http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=30)) as line:
        line.request("GET", "/v1/history", headers={"Authorization": f"Bearer {day.TOKEN}"})
        messages: list[dict[str, Any]] = json.loads(line.getresponse().read())["messages"]
    return messages


def document(daemon: Gatepost) -> dict[str, Any]:
    _, told = ask(daemon, "GET", "/v1/openapi.json", {})
    found: dict[str, Any] = json.loads(told.partition("\n\n")[2])
    return found


def questions(operation: dict[str, Any]) -> Iterator[str]:
    """Give the queries of an operation: none, and each parameter with each value it may have."""
    yield ""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            for value in parameter["schema"].get("enum", ("1", "lottery", "8.8.8.8")):
                yield f"?{parameter['name']}={value}"


def asked(daemon: Gatepost, caller: str) -> Iterator[tuple[str, str, int, str]]:
    """Give method, path, status and text of everything that can be asked."""
    txn_id = recorded(daemon)[0]["txn_id"]
    told = document(daemon)
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            body = POSTED if method == "post" else b""
            for query in questions(operation):
                whole = path.replace("{id}", txn_id).replace("{label}", "spam") + query
                yield (
                    method.upper(),
                    path,
                    *ask(daemon, method.upper(), whole, CALLERS[caller], body),
                )


def allowed(method: str, path: str, *, beyond: bool) -> bool:
    """Return whether the question may be asked without a token."""
    (endpoint,) = [
        one for one in (*OF_SUPERVISOR, *OF_WORKERS) if (one.method, one.path) == (method, path)
    ]
    return endpoint.access is Access.OPEN or (endpoint.access is Access.MACHINE and not beyond)


def test_document_names_every_endpoint(daemon: Gatepost) -> None:
    named = {
        (method.upper(), path)
        for path, operations in document(daemon)["paths"].items()
        for method in operations
    }

    assert named == {(one.method, one.path) for one in (*OF_SUPERVISOR, *OF_WORKERS)}
    # Else nothing below would be shown of them.
    assert {("POST", "/v1/scan"), ("POST", "/v1/learn/{label}"), ("POST", "/checkv2")} <= named
    assert ("GET", "/v1/history/{id}") in named


@pytest.mark.parametrize("caller", CALLERS)
def test_nothing_that_points_to_a_person_or_a_message_can_be_had(
    daemon: Gatepost, caller: str
) -> None:
    beyond = caller.startswith("beyond")
    refused = 0
    for method, path, status, text in asked(daemon, caller):
        found = [secret for secret in SECRETS if secret in text]
        # The document of the port names words of its own, not mail.
        assert not found or path == "/v1/openapi.json", (method, path, found)
        may = allowed(method, path, beyond=beyond)
        assert (status == 401) is not may, (method, path, status)
        refused += status == 401
    assert refused >= 5


def test_same_questions_with_the_token_tell_them(daemon: Gatepost) -> None:
    CALLERS["who has the token"] = {"Authorization": f"Bearer {day.TOKEN}"}
    try:
        texts = [text for *_, text in asked(daemon, "who has the token")]
    finally:
        del CALLERS["who has the token"]

    told = set(itertools.chain(*([one for one in SECRETS if one in text] for text in texts)))
    # A secret that nobody could ever be told would show nothing; texts are kept nowhere.
    assert told >= {"8.8.8.", "someone@", "bob@", "You won the lottery", '"recipient_domain": {'}
