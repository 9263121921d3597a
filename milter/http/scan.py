"""`POST /v1/scan`: the verdict about the message in the body, as JSON.

What is known of the envelope stands in headers: IP, Helo, From, Rcpt (one a recipient), Hostname,
User and Queue-Id. A caller beyond this machine needs the token (RFC 6750 §2.1). It runs in a
worker, behind the supervisor's port; nothing is relayed, learned or remembered.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from aiohttp import web

from milter.core.address import Mailbox, parse_mailbox
from milter.core.errors import ParseError
from milter.core.ids import SessionId, TxnId
from milter.http.trust import LOCAL, LOCAL_CALLER_HEADER, is_local
from milter.pipeline.offline import Envelope, Judged, judge, with_crlf
from milter.pipeline.report import scan_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from multidict import CIMultiDictProxy

    from milter.core.connection import Direction, IpAddress
    from milter.core.limits import SharedLimits
    from milter.pipeline.runner import Pipeline
    from milter.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PATH: Final = "/v1/scan"
LISTENER: Final = "http"
_BEARER: Final = "bearer "
_CHUNK: Final = 65_536
_MAX_RECIPIENTS: Final = 1000

_log: Final = logging.getLogger("gatepost.http")


class _RefusedError(Exception):
    """The request is answered with `status` and words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Scanning:
    """What the handler works with.

    Attributes:
        pipeline: Gives the pipeline that judges now; None while there is none.
        limits: Counts the bytes of messages held.
        max_bytes: Largest message.
        direction: Of scanned messages.
        token: What a caller beyond this machine has to know; empty: nobody beyond it may scan.
        new_id: Makes ids.
        judged: Told of each judgement, for metrics.
    """

    pipeline: Callable[[], Pipeline | None]
    limits: SharedLimits
    max_bytes: int
    direction: Direction
    token: bytes
    new_id: Callable[[], str]
    judged: Callable[[Judged], None]


def scanning(
    settings: Settings,
    *,
    pipeline: Callable[[], Pipeline | None],
    limits: SharedLimits,
    token: bytes,
    new_id: Callable[[], str],
    judged: Callable[[Judged], None] | None = None,
) -> Scanning:
    """Return what `scan_handler` needs, from the settings and from what the worker has.

    Raises:
        ValueError: The settings have no `http`.
    """
    if settings.http is None:
        raise ValueError("without `http` nothing is scanned over it")
    return Scanning(
        pipeline=pipeline,
        limits=limits,
        max_bytes=settings.limits.message_bytes,
        direction=settings.http.direction,
        token=token.strip(),
        new_id=new_id,
        judged=judged or _tell_nobody,
    )


def scan_application(means: Scanning) -> web.Application:
    """Return the application of a worker: this one path."""
    # The handler counts the bytes itself, for aiohttp's own bound answers in HTML.
    application = web.Application(client_max_size=0)
    application.router.add_post(PATH, scan_handler(means))
    return application


def scan_handler(means: Scanning) -> Handler:
    """Return the handler of `POST /v1/scan`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        txn_id = TxnId(means.new_id())
        try:
            return web.json_response(await _scan(request, means, txn_id))
        except _RefusedError as refused:
            headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else None
            body = {"error": refused.words, "txn_id": txn_id}
            return web.json_response(body, status=refused.status, headers=headers)
        except Exception as error:  # noqa: BLE001 - the top of a request; nothing of the inside goes out
            _log.error("scan failed", exc_info=error, extra={"txn_id": txn_id})
            body = {"error": "the message could not be judged, try again", "txn_id": txn_id}
            return web.json_response(body, status=500)

    return handle


async def _scan(request: web.Request, means: Scanning, txn_id: TxnId) -> dict[str, object]:
    _authorise(request, means.token)
    envelope = read_envelope(request.headers, means.direction)
    pipeline = means.pipeline()
    if pipeline is None:
        raise _RefusedError(503, "no messages are judged now, try again")
    with _held(means.limits) as hold:
        message = with_crlf(await _body(request, means.max_bytes, hold))
        session_id = SessionId(means.new_id())
        judged = await judge(pipeline, message, envelope, txn_id, session_id)
    means.judged(judged)
    _note(judged, envelope, request.headers.get("Queue-Id", ""))
    return {**scan_report(judged.judgement, judged.outcome, txn_id, message)}


def _authorise(request: web.Request, token: bytes) -> None:
    said = request.headers.get(LOCAL_CALLER_HEADER)
    here = is_local(request.transport)
    # The supervisor says who called it; to it alone this machine's socket leads. A header that came
    # from beyond was dropped on the way.
    if here and said in (LOCAL, None):
        return
    if not token:
        raise _RefusedError(401, "scanning from other machines needs `http.token_file` to be set")
    given = request.headers.get("Authorization", "")
    if not given.lower().startswith(_BEARER):
        raise _RefusedError(401, "a token is needed: `Authorization: Bearer TOKEN`")
    presented = given[len(_BEARER) :].strip().encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(presented, token):
        raise _RefusedError(401, "the token is wrong")


def read_envelope(headers: CIMultiDictProxy[str], direction: Direction) -> Envelope:
    """Return the envelope that the headers of a request tell of.

    Raises:
        _RefusedError: A value is not what its header needs.
    """
    mail_from = headers.get("From")
    recipients = headers.getall("Rcpt", [])
    if len(recipients) > _MAX_RECIPIENTS:
        raise _RefusedError(400, f"header Rcpt: more than {_MAX_RECIPIENTS} recipients")
    return Envelope(
        client_ip=_ip(headers.get("IP")),
        client_name=_text(headers, "Hostname") or None,
        helo_name=_text(headers, "Helo"),
        mail_from=_reverse_path(mail_from),
        mail_from_known=mail_from is not None,
        recipients=tuple(_mailbox("Rcpt", text) for text in recipients),
        direction=direction,
        listener=LISTENER,
        account=_text(headers, "User"),
    )


def _ip(text: str | None) -> IpAddress | None:
    if not text:
        return None
    try:
        return ip_address(text.strip())
    except ValueError as err:
        raise _RefusedError(400, f"header IP: {text!r} is no IP address") from err


def _text(headers: CIMultiDictProxy[str], name: str) -> str:
    text = headers.get(name, "").strip()
    if not text.isprintable() or len(text) > 1000:
        raise _RefusedError(400, f"header {name}: up to 1000 printable characters are needed")
    return text


def _reverse_path(text: str | None) -> Mailbox | None:
    return None if not text or text.strip() == "<>" else _mailbox("From", text)


def _mailbox(name: str, text: str) -> Mailbox:
    plain = text.strip()
    if plain.startswith("<") and plain.endswith(">"):
        plain = plain[1:-1]
    try:
        # The null path and nothing at all are no mailbox.
        return parse_mailbox(plain)
    except (ParseError, UnicodeError) as err:
        raise _RefusedError(400, f"header {name}: {text!r} is no address") from err


class _Hold:
    """Bytes of one message that are counted as held."""

    def __init__(self, limits: SharedLimits) -> None:
        self._limits = limits
        self.size = 0

    def take(self, size: int) -> None:
        if not self._limits.reserve(size):
            raise _RefusedError(503, "too many messages at once, try again")
        self.size += size


@contextmanager
def _held(limits: SharedLimits) -> Iterator[_Hold]:
    hold = _Hold(limits)
    try:
        yield hold
    finally:
        limits.give_back(hold.size)


async def _body(request: web.Request, max_bytes: int, hold: _Hold) -> bytes:
    too_large = _RefusedError(413, f"the message is larger than {max_bytes} bytes")
    if (request.content_length or 0) > max_bytes:
        raise too_large
    body = bytearray()
    async for chunk in request.content.iter_chunked(_CHUNK):
        hold.take(len(chunk))
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    if not body:
        raise _RefusedError(400, "the message is missing: it is the body of the request")
    return bytes(body)


def _note(judged: Judged, envelope: Envelope, queue_id: str) -> None:
    verdict = judged.outcome.verdict
    _log.info(
        "scan",
        extra={
            "txn_id": judged.txn_id,
            "queue_id": queue_id,
            "listener": envelope.listener,
            "direction": envelope.direction.value,
            "client_ip": str(envelope.client_ip or ""),
            "helo_name": envelope.helo_name,
            "mail_from": str(envelope.mail_from or "<>") if envelope.mail_from_known else "",
            "rcpt_count": len(envelope.recipients),
            "size_bytes": len(judged.message),
            "symbols": [contribution.symbol for contribution in verdict.contributions],
            "score": verdict.score,
            "action": verdict.action.word,
            "policy": verdict.policy,
            "duration_ms": round(judged.judgement.duration_s * 1000, 1),
        },
    )


def _tell_nobody(judged: Judged) -> None:
    """Count nothing."""
