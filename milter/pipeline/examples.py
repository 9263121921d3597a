"""Messages in a few words, as the rule packs write them, made whole."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.packs import Example

_ORDINARY: Final = {
    "From": "Alex Moreau <alex@example.net>",
    "To": "Sam Berg <sam@example.org>",
    "Date": "Sun, 22 Nov 2026 10:00:00 +0000",
    "Message-ID": "<20261122100000.4711@mail.example.net>",
}


def message_of(example: Example, charset: str = "utf-8") -> bytes:
    """Return the message of an example, its texts in `charset`.

    Raises:
        ValueError: What it says cannot stand in a message.
    """
    message = EmailMessage(policy=SMTP)
    header = _ORDINARY | ({"From": example.sender} if example.sender else {}) | example.header
    if example.subject:
        header = {"Subject": example.subject, **header}
    for name, value in header.items():
        if value is not None:
            message[name] = value
    if example.body or not example.html:
        message.set_content(example.body, charset=charset)
    if example.html:
        html = f"<html><body>{example.html}</body></html>"
        if example.body:
            message.add_alternative(html, subtype="html", charset=charset)
        else:
            message.set_content(html, subtype="html", charset=charset)
    for name in example.files:
        content = b"\x00\x01 nothing"
        message.add_attachment(content, "application", "octet-stream", filename=name)
    return message.as_bytes()


def changed(example: Example, changes: Mapping[str, str | None]) -> Example:
    """Return `example` with texts of it replaced.

    Raises:
        ValueError: A text that shall be replaced does not stand in it.
    """
    said: object = example.model_dump(exclude_unset=True)
    for old, new in changes.items():
        after = _replaced(said, old, new)
        if after == said:
            raise ValueError(f"`miss`: {old!r} does not stand in the message of `hit`")
        said = after
    return type(example).model_validate(said)


def _replaced(value: object, old: str, new: str | None) -> object:
    if isinstance(value, str):
        return None if new is None and value == old else value.replace(old, new or "")
    if isinstance(value, dict):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(each, old, new) for each in value]
    return value
