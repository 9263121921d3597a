"""A host takes over that offers less than the one of whose extensions the client was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.core.reply import Reply
from milter.relay.promises import not_for_good
from milter.relay.protocol import Capabilities
from tests.support.relay import MESSAGE, a_client, a_next_hop
from tests.support.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from tests.unit.relay.conftest import Run

MANY = b"250-a\r\n250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n"
FEW = b"250-b\r\n250 SIZE 10000000\r\n"
UNKNOWN = b"555 5.5.4 unsupported option\r\n"
NOT_NOW = "451 4.3.0 The next mail server in use does not support this now"


async def heard(parameter: bytes, *, of_mail: bool) -> str:
    """What a client hears of `parameter`, which was offered, after the first host went down."""
    script = {"EHLO": FEW, "MAIL" if of_mail else "RCPT": UNKNOWN}
    async with (
        ScriptedServer({"EHLO": MANY}) as first,
        ScriptedServer(script) as second,
        a_next_hop(first, second, idle_s=0) as hop,
    ):
        await hop.probe()
        await first.stop()
        relaying = hop.open(a_client())
        try:
            reply = await relaying.mail(b"FROM:<a@b>" + (parameter if of_mail else b""))
            if not of_mail:
                reply = await relaying.rcpt(b"TO:<c@d>" + parameter, "c@d", 1)
        finally:
            relaying.abort()
        return str(reply)


@pytest.mark.parametrize(
    ("parameter", "of_mail"),
    [
        (b" BODY=8BITMIME", True),
        (b" SIZE=10 body=8bitmime", True),
        (b" RET=FULL", True),
        (b" ENVID=x", True),
        (b" SMTPUTF8", True),
        (b" NOTIFY=FAILURE", False),
        (b" ORCPT=rfc822;c@d", False),
    ],
)
def test_parameter_that_was_offered_is_refused_for_now_alone(
    run: Run, parameter: bytes, *, of_mail: bool
) -> None:
    async def main() -> None:
        assert await heard(parameter, of_mail=of_mail) == NOT_NOW

    run(main())


@pytest.mark.parametrize(
    ("parameter", "of_mail"),
    [
        pytest.param(b" X-FOO=BAR", True, id="unknown"),
        pytest.param(b" REQUIRETLS", True, id="offered-by-no-host"),
        pytest.param(b" X-FOO", False, id="unknown-at-rcpt"),
        pytest.param(b"", False, id="none"),
    ],
)
def test_parameter_that_was_not_offered_is_refused_word_for_word(
    run: Run, parameter: bytes, *, of_mail: bool
) -> None:
    async def main() -> None:
        assert await heard(parameter, of_mail=of_mail) == UNKNOWN.decode().strip()

    run(main())


def test_group_that_is_named_to_another_host_is_refused_for_now_alone(run: Run) -> None:
    async def main() -> None:
        async with (
            ScriptedServer({"EHLO": MANY}) as first,
            ScriptedServer({"EHLO": FEW, "MAIL": UNKNOWN}) as second,
            a_next_hop(first, second) as hop,
        ):
            relaying = hop.open(a_client())
            await relaying.mail(b"FROM:<a@b> BODY=8BITMIME")
            await relaying.rcpt(b"TO:<c@d>", "c@d", 1)
            await first.stop()
            await relaying._groups[1].connection.closed
            assert str((await relaying.deliver({1: [MESSAGE]})).reply) == NOT_NOW

    run(main())


@pytest.mark.parametrize(
    ("code", "argument", "extensions", "kept"),
    [
        pytest.param(555, b"FROM:<a@b> BODY=8BITMIME", {}, False, id="not-kept"),
        pytest.param(501, b"FROM:<> BODY=7BIT", {}, False, id="null-path"),
        pytest.param(555, b"FROM:<a@b> BODY=8BITMIME", {"8BITMIME": ""}, True, id="offered-here"),
        pytest.param(550, b"FROM:<a@b> BODY=8BITMIME", {}, True, id="about-something-else"),
        pytest.param(250, b"FROM:<a@b> BODY=8BITMIME", {}, True, id="taken-all-the-same"),
        pytest.param(555, b'FROM:<"a BODY b"@c>', {}, True, id="no-parameter-but-a-path"),
    ],
)
def test_not_for_good(
    code: int, argument: bytes, extensions: dict[str, str], *, kept: bool
) -> None:
    reply = Reply.of(code, "5.5.4 words of the host")
    said = not_for_good(reply, argument, Capabilities(extensions), lambda name: name == "8BITMIME")

    assert (said is reply) is kept
    assert said.temporary is not kept
