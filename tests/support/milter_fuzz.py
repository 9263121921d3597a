"""Sessions of mail servers with mistakes in them, each made again from its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support import milter_packets as mta

if TYPE_CHECKING:
    from random import Random

SESSIONS: Final = (
    mta.a_session(mta.a_message()),
    mta.a_session(mta.a_message(mta.GTUBE), version_offer=mta.offer(*mta.OFFER_2)),
    mta.offer()
    + mta.macros("C", j="mail.example.org", daemon_name="smtpd")
    + mta.connect("host.example", "2001:db8::7")
    + mta.macros("H", tls_version="TLSv1.3", cipher="X")
    + mta.helo()
    + mta.macros("M", i="4Xb2kQ", auth_authen="ann")
    + mta.mail("<>", "SIZE=100")
    + mta.macros("R", i="4Xb2kQ")
    + mta.rcpt()
    + mta.header("X-Spam-Flag", " NO")
    + mta.ABORT
    + mta.a_message(b"one\ntwo")
    + mta.QUIT_SESSION
    + mta.connect()
    + mta.a_message(b"")
    + mta.QUIT,
)
_LETTERS: Final = b"ODCHMRTULNBEAQKZ"


def mutated(session: bytes, random: Random) -> bytes:
    """Return `session` with one to four mistakes."""
    packets = _packets(session)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(packets))
        packets[place : place + 1] = _mistake(packets[place], packets, random)
        packets = packets or [b""]
    return b"".join(packets)


def _packets(session: bytes) -> list[bytes]:
    found = []
    while session:
        end = 4 + int.from_bytes(session[:4], "big")
        found.append(session[:end])
        session = session[end:]
    return found


def _mistake(packet: bytes, packets: list[bytes], random: Random) -> list[bytes]:
    kind = random.randrange(8)
    place = random.randrange(max(1, len(packet)))
    if kind == 0:
        return []
    if kind == 1:
        return [packet, packet]
    if kind == 2:
        return [packet, random.choice(packets)]
    if kind == 3:
        return [packet[:place]]
    if kind == 4:
        return [random.randbytes(4) + packet[4:]]
    if kind == 5:
        return [packet[:4] + bytes([random.choice(_LETTERS)]) + packet[5:]]
    if kind == 6:
        # The length stays true, so that what is wrong is inside.
        data = packet[4:place] + random.randbytes(random.randrange(6)) + packet[place + 1 :]
        return [len(data).to_bytes(4, "big") + data]
    return [packet[:place] + random.randbytes(1) + packet[place + 1 :]]
