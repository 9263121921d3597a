"""Bodies that nothing depends on, and those on which something does."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from milter.core.transaction import Stage
from milter.pipeline.aftermath import Aftermath
from tests.support import milter_packets as mta
from tests.support.milter_session import Dialog, a_door, in_a_loop
from tests.support.pipeline import Sees

if TYPE_CHECKING:
    from milter.pipeline.aftermath import Seen

BEGIN = mta.offer() + mta.connect() + mta.helo()


@in_a_loop
async def test_body_that_no_check_reads_is_cut_short_and_the_rest_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatepost")
    forged = mta.header("X-Spam-Flag", " NO") + mta.END_OF_HEADER
    dialog = Dialog(a_door(Sees(stage=Stage.CONNECT)))
    await dialog.say(BEGIN + mta.mail("<ann@client.example>", "SIZE=90000") + mta.rcpt() + forged)
    assert mta.letters(await dialog.say(mta.body(b"x" * 65_535))) == "s"
    said = mta.letters(await dialog.say(mta.END_OF_MESSAGE))
    assert {"m", "i"} <= set(said)
    assert said[-1] == "c"
    (line,) = [record for record in caplog.records if record.getMessage() == "transaction"]
    assert line.fields["size_bytes"] == 90_000  # type: ignore[attr-defined]  # an Event


@pytest.mark.parametrize(
    "door",
    [
        pytest.param({"checks": (Sees(),)}, id="a-check-reads-it"),
        pytest.param({"checks": (Sees(stage=Stage.DATA),)}, id="a-check-comes-behind-data"),
        pytest.param({"aftermath": Aftermath((), lambda: 0.0)}, id="somebody-keeps-it"),
        pytest.param(
            {"policy": "version: 1\nname: t\nrules: [{id: BIG, when: size_bytes > 9, weight: 1, "
             "describe: Large}]\n"},
            id="a-rule-asks-for-its-size",
        ),
    ],
)  # fmt: skip
@in_a_loop
async def test_body_that_somebody_wants_comes_to_its_end(door: dict[str, Any]) -> None:
    checks = door.pop("checks", (Sees(stage=Stage.CONNECT),))
    dialog = Dialog(a_door(*checks, **door))
    await dialog.say(BEGIN + mta.mail() + mta.rcpt() + mta.END_OF_HEADER)
    assert mta.letters(await dialog.say(mta.body(b"x"))) == "c"


@in_a_loop
async def test_what_is_kept_says_that_a_mail_server_asked() -> None:
    seen: list[Seen] = []
    aftermath = Aftermath([Keeps(seen)], lambda: 0.0)
    dialog = Dialog(a_door(Sees(), aftermath=aftermath))
    await dialog.say(BEGIN + mta.a_message())
    aftermath.finish()
    assert [one.dealt.asked for one in seen] == [True]


class Keeps:
    """Keeps what it is told."""

    def __init__(self, kept: list[Seen]) -> None:
        self._kept = kept

    def see(self, seen: Seen) -> None:
        self._kept.append(seen)
