"""`POST /v1/scan`: who may call, what the headers mean, what comes back."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from milter.core.limits import LocalLimits
from milter.core.transaction import Stage
from milter.http.scan import PATH, Scanning, scan_application, scanning
from milter.http.trust import LOCAL, LOCAL_CALLER_HEADER, REMOTE
from milter.settings import Limits, Settings
from tests.support.pipeline import Asks, Sees, a_pipeline, found

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from milter.checks.base import Check
    from milter.pipeline.offline import Judged
    from milter.pipeline.runner import Pipeline

MESSAGE = b"From: a@example.net\nSubject: hello\n\nhello\n"
BEYOND = {LOCAL_CALLER_HEADER: REMOTE}
Headers = dict[str, str] | list[tuple[str, str]]


def a_means(
    *checks: Check,
    pipeline: Pipeline | None = None,
    token: bytes = b"",
    in_flight: int = 1_000_000,
    judged: list[Judged] | None = None,
) -> Scanning:
    numbers = itertools.count()
    used = pipeline or a_pipeline(*checks)
    return scanning(
        Settings(limits=Limits(message_bytes=2000)),
        pipeline=lambda: used,
        limits=LocalLimits(sessions=1, sessions_per_client=1, bytes_in_flight=in_flight),
        token=token,
        new_id=lambda: f"ID{next(numbers):010}",
        judged=judged.append if judged is not None else None,
    )


def asked(
    means: Scanning, folder: Path, headers: Headers | None = None, body: bytes = MESSAGE
) -> tuple[int, dict[str, Any]]:
    """Return status and JSON of one request over a unix socket, as the supervisor makes it."""

    async def once() -> tuple[int, dict[str, Any]]:
        runner = web.AppRunner(scan_application(means))
        await runner.setup()
        path = str(folder / "s")
        await web.UnixSite(runner, path).start()
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as session,
                session.post(f"http://worker{PATH}", data=body, headers=headers) as answer,
            ):
                return answer.status, await answer.json()
        finally:
            await runner.cleanup()

    return asyncio.run(once())


def test_scan_answers_with_the_verdict(tmp_path: Path) -> None:
    judged: list[Judged] = []
    status, report = asked(a_means(Sees(found("GTUBE")), judged=judged), tmp_path)
    assert status == 200
    assert report["action"] == "reject"
    assert report["reply"].endswith(f"({report['txn_id']})")
    assert report["symbols"]["GTUBE"]["weight"] == 100
    assert len(judged) == 1


def test_scan_headers_become_the_envelope(tmp_path: Path) -> None:
    headers = [
        ("IP", "2001:db8::1"),
        ("Helo", "c.example"),
        ("From", "<a@example.net>"),
        ("Rcpt", "b@example.org"),
        ("Rcpt", "<c@example.org>"),
        ("Hostname", "host.example"),
        ("User", "alice"),
        ("Queue-Id", "4ABC"),
    ]
    _, report = asked(a_means(), tmp_path, headers)
    facts = report["facts"]
    assert facts["connection"]["ip"] == "2001:db8::1"
    assert facts["connection"]["name"] == "host.example"
    assert facts["helo"] == "c.example"
    assert facts["mail_from"] == "a@example.net"
    assert facts["recipients"] == ["b@example.org", "c@example.org"]
    assert facts["account"] == "alice"
    assert facts["listener"] == "http"
    assert facts["size_bytes"] == len(MESSAGE.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("headers", "runs"),
    [({}, []), ({"From": "<>"}, ["mail"]), ({"IP": "192.0.2.1", "Helo": "x"}, ["connect", "helo"])],
    ids=["nothing-known", "null-reverse-path", "client-known"],
)
def test_scan_runs_no_check_about_what_nobody_said(
    headers: dict[str, str], runs: Sequence[str], tmp_path: Path
) -> None:
    checks = [
        Asks(stage=Stage.CONNECT, name="connect"),
        Asks(stage=Stage.HELO, name="helo"),
        Asks(stage=Stage.MAIL, name="mail"),
    ]
    assert asked(a_means(*checks), tmp_path, headers)[0] == 200
    assert [check.name for check in checks if check.asked] == runs


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("IP", "192.0.2", "header IP: '192.0.2' is no IP address"),
        ("From", "nobody", "header From: 'nobody' is no address"),
        ("Rcpt", "<>", "header Rcpt: '<>' is no address"),
        ("Helo", "x" * 1001, "header Helo: up to 1000 printable characters are needed"),
    ],
)
def test_scan_a_bad_header_is_told_in_words(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    status, answer = asked(a_means(), tmp_path, {name: value})
    assert (status, answer["error"]) == (400, words)


def test_scan_without_a_message_is_told_so(tmp_path: Path) -> None:
    assert asked(a_means(), tmp_path, body=b"")[0] == 400


def test_scan_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    status, answer = asked(a_means(), tmp_path, body=b"x" * 2001)
    assert (status, answer["error"]) == (413, "the message is larger than 2000 bytes")


def test_scan_with_no_room_for_the_message_is_told_to_come_again(tmp_path: Path) -> None:
    means = a_means(in_flight=10)
    assert asked(means, tmp_path)[0] == 503
    assert means.limits.reserve(10)


def test_scan_gives_back_the_bytes_that_it_held(tmp_path: Path) -> None:
    means = a_means(in_flight=len(MESSAGE))
    assert asked(means, tmp_path)[0] == 200
    assert means.limits.reserve(len(MESSAGE))


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        pytest.param(b"secret\n", {**BEYOND, "Authorization": "Bearer secret"}, 200, id="right"),
        pytest.param(b"secret", {**BEYOND, "Authorization": "bearer  secret "}, 200, id="spaces"),
        pytest.param(b"secret", {**BEYOND, "Authorization": "Bearer wrong"}, 401, id="wrong"),
        pytest.param(
            b"secret", {**BEYOND, "Authorization": "Basic secret"}, 401, id="other-scheme"
        ),
        pytest.param(b"secret", BEYOND, 401, id="none"),
        pytest.param(b"", {**BEYOND, "Authorization": "Bearer "}, 401, id="no-token-configured"),
        pytest.param(b"secret", {LOCAL_CALLER_HEADER: LOCAL}, 200, id="from-this-machine"),
        pytest.param(b"secret", {LOCAL_CALLER_HEADER: "maybe"}, 401, id="unknown-caller"),
    ],
)
def test_scan_from_beyond_this_machine_needs_the_token(
    token: bytes, headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    assert asked(a_means(token=token), tmp_path, headers)[0] == status


def test_scan_a_fault_of_ours_tells_nothing_of_the_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_judged: Judged) -> None:
        raise ZeroDivisionError("inside")

    whole = a_means()
    means = Scanning(
        pipeline=whole.pipeline,
        limits=whole.limits,
        max_bytes=2000,
        direction=whole.direction,
        token=b"",
        new_id=whole.new_id,
        judged=broken,
    )
    status, answer = asked(means, tmp_path)
    assert status == 500
    assert "inside" not in str(answer)
    assert any(record.exc_info for record in caplog.records)


def test_scan_without_a_pipeline_is_told_to_come_again(tmp_path: Path) -> None:
    whole = a_means()
    means = Scanning(
        pipeline=lambda: None,
        limits=whole.limits,
        max_bytes=2000,
        direction=whole.direction,
        token=b"",
        new_id=whole.new_id,
        judged=whole.judged,
    )
    assert asked(means, tmp_path)[0] == 503
