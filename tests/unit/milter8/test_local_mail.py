"""Mail that programs of the mail server's own machine hand over, and no client."""

from __future__ import annotations

import pytest

from tests.support import milter_packets as mta
from tests.support.milter_session import Dialog, a_door, in_a_loop
from tests.support.pipeline import Sees


@pytest.mark.parametrize(
    ("client", "last"),
    [
        pytest.param(mta.connect(), "y", id="a-client-comes-again"),
        pytest.param(mta.connect("localhost", "127.0.0.1", 0), "c", id="sendmail-cannot"),
    ],
)
@in_a_loop
async def test_recipients_of_local_mail_are_never_too_many(client: bytes, last: str) -> None:
    check = Sees()
    door = a_door(check)
    most = door.bounds.recipients
    dialog = Dialog(door)
    said = await dialog.say(mta.offer() + client + mta.helo() + mta.mail() + mta.rcpt() * most)
    assert mta.letters(said) == "O" + "c" * most
    assert mta.letters(await dialog.say(mta.rcpt())) == last
    assert mta.letters(await dialog.say(mta.content()))[-1] == "c"
    assert len(check.seen[0].recipients) == most + (last == "c")
