"""One connection: a request is read, judged or learned, answered; then it is over."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.core.errors import GatepostError, ParseError, RemoteProtocolError
from milter.doors.compression import Plain, decoder_of
from milter.doors.told_envelope import told_envelope, words_of
from milter.doors.whole import NoRoomError, TooLargeError, judge_whole, place_for_one
from milter.pipeline.offline import Envelope
from milter.spamd import reply
from milter.spamd.request import Head, RequestReader
from reputation.classifier.lessons import Heard, Reporter
from reputation.errors import StoreError

if TYPE_CHECKING:
    from milter.doors.compression import Decoder
    from milter.doors.door import Door
    from milter.doors.teaching import Teacher
    from milter.doors.whole import Hold

_log: Final = logging.getLogger("gatepost.spamd")
_CHUNK: Final = 65_536
_LABELS: Final = {"spam": True, "ham": False}


class _RefusedError(GatepostError):
    """The request is answered with a code and words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class SpamdDoor:
    """One listener with all that its sessions use.

    Attributes:
        door: Judges.
        teacher: Takes lessons; None where nothing is learned.
    """

    door: Door
    teacher: Teacher | None


class SpamdSession:
    """One connection.

    Args:
        door: The listener.
        reader: What the client says.
        may_teach: Whether the client came over a unix socket, whose mode says who may use it: the
            protocol has no place for a token.
    """

    def __init__(self, door: SpamdDoor, reader: asyncio.StreamReader, *, may_teach: bool) -> None:
        self._door = door.door
        self._teacher = door.teacher
        self._reader = reader
        self._may_teach = may_teach

    async def answer(self) -> bytes:
        """Return all that is said to the client."""
        try:
            with place_for_one(self._door) as hold:
                head, data = await self._read(hold)
                return await self._do(head, data)
        except _RefusedError as refused:
            return reply.failed(refused.code, refused.words)
        except (RemoteProtocolError, ParseError) as error:
            return reply.failed(reply.EX_PROTOCOL, error.what)
        except TooLargeError as error:
            return reply.failed(reply.EX_DATAERR, str(error))
        except NoRoomError as error:
            return reply.failed(reply.EX_TEMPFAIL, str(error))
        except TimeoutError:
            return reply.failed(reply.EX_TIMEOUT, "the rest of the request did not come")
        except ConnectionError:
            return b""
        except Exception as error:  # noqa: BLE001 - the top of a session; nothing of the inside goes out
            _log.error("request failed", exc_info=error)
            return reply.failed(reply.EX_SOFTWARE, "this went wrong here, try again")

    async def _read(self, hold: Hold) -> tuple[Head, bytes]:
        request = RequestReader()
        decoder: Decoder = Plain()
        head: Head | None = None
        body = bytearray()
        while not request.done:
            async with asyncio.timeout(self._door.bounds.data_timeout_s):
                data = await self._reader.read(_CHUNK)
            if not data:
                request.end()
            for part in request.feed(data) if data else ():
                if isinstance(part, Head):
                    head, decoder = part, _decoder(part)
                    continue
                for piece in decoder.feed(part):
                    hold.take(len(piece))
                    body += piece
                    await asyncio.sleep(0)
        decoder.end()
        assert head is not None  # noqa: S101 - a request is not done without
        return head, bytes(body)

    async def _do(self, head: Head, data: bytes) -> bytes:
        if head.command == "PING":
            return reply.PONG
        if head.command == "SKIP":
            return b""
        if head.command == "TELL":
            return await self._learn(head, data)
        envelope = self._envelope(head)
        queue_id = words_of(head, "Queue-Id")
        judged = await judge_whole(self._door, data, envelope, queue_id=queue_id)
        return reply.judged_reply(head, data, judged, self._door.pipeline.identity)

    def _envelope(self, head: Head) -> Envelope:
        listener = self._door.listener
        if head.from_rspamd:
            return told_envelope(head, listener, self._door.hostname)
        # `User` is the owner of a mailbox here, or the mail server's own: no login.
        return Envelope(direction=listener.direction, listener=listener.name)

    async def _learn(self, head: Head, data: bytes) -> bytes:
        if not self._may_teach:
            raise _RefusedError(reply.EX_UNAVAILABLE, "TELL is taken on a unix socket alone")
        if self._teacher is None:
            raise _RefusedError(reply.EX_UNAVAILABLE, "nothing is learned here: set `store`")
        label = head.get("Message-class").lower()
        if label not in _LABELS or "local" not in head.get("Set").lower():
            # To forget a lesson is not possible; the opposite one takes its place.
            return reply.taught_reply(learned=False)
        user = words_of(head, "User")
        try:
            heard = await self._teacher.teach(
                data, spam=_LABELS[label], reporter=Reporter(user) if user else None
            )
        except StoreError as err:
            words = "the store does not answer, try again"
            raise _RefusedError(reply.EX_TEMPFAIL, words) from err
        if heard is Heard.TOO_MANY:
            raise _RefusedError(reply.EX_TEMPFAIL, "this user has taught enough for now")
        return reply.taught_reply(learned=heard is not Heard.KNOWN)


def _decoder(head: Head) -> Decoder:
    return decoder_of(head.get("Compress"))
