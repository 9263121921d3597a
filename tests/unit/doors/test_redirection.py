from __future__ import annotations

import pytest

from milter.core.address import Mailbox
from milter.doors.redirection import redirection


def _mailbox(name: str) -> Mailbox:
    return Mailbox(name, "example.org")


@pytest.mark.parametrize(
    ("recipients", "added", "deleted"),
    [
        pytest.param({"ada": "spam"}, ["spam"], ["ada"], id="one"),
        pytest.param({"ada": "spam", "eve": "spam"}, ["spam"], ["ada", "eve"], id="two"),
        pytest.param({"ada": "spam", "bob": None}, ["spam"], ["ada"], id="one-keeps-it"),
        pytest.param({"spam": "spam"}, [], [], id="who-it-goes-to"),
        pytest.param({"SPAM": "spam"}, [], [], id="who-it-goes-to-in-capitals"),
        pytest.param({"ada": "spam", "spam": "spam"}, [], ["ada"], id="among-others"),
        pytest.param({"ada": "spam", "spam": None}, [], ["ada"], id="who-keeps-it-anyway"),
        pytest.param({"ada": "a", "eve": "b"}, ["a", "b"], ["ada", "eve"], id="two-targets"),
        pytest.param({"ada": "spam", "spam": "b"}, ["b"], ["ada"], id="who-has-a-target-himself"),
        pytest.param({"a": "b", "b": "a"}, [], [], id="each-to-the-other"),
    ],
)
def test_redirection(
    recipients: dict[str, str | None], added: list[str], deleted: list[str]
) -> None:
    pairs = [(_mailbox(name), _mailbox(to) if to else None) for name, to in recipients.items()]
    change = redirection(pairs)
    assert [mailbox.local_part for mailbox in change.added] == added
    assert [pairs[place][0].local_part for place in change.deleted] == deleted
