"""What one HTML part shows, hides and leads to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.message.urls.link import Source

# How names and labels of fields for secrets begin, without signs between their letters.
_BEGINNINGS: Final = """
password passwd passwort passcode passphrase kennwort contrase senha motdepasse wachtwoord haslo
parola lozinka sifre пароль пин 密码 密碼 口令 パスワード 暗証番号 비밀번호 كلمةالمرور كلمةالسر
पासवर्ड รหัสผ่าน currentpassword newpassword yourpassword enterpassword onetimecode seedphrase
recoveryphrase cardnumber ccnumber cccsc kreditkarte numerodecarte tarjeta
"""
_SECRETS: Final = tuple(_BEGINNINGS.split())
# Shorter ones are found in other words.
_SECRETS_WHOLE: Final = frozenset(
    ("pass", "pwd", "pw", "psw", "pswd", "pin", "otp", "tan", "cvv", "cvc", "cvv2", "ssn", "mdp")
)
_SIGNS_IN_NAMES: Final = re.compile(r"[\W_]+")


class HtmlLink(NamedTuple):
    """An address in an attribute.

    Attributes:
        written: The attribute's value.
        source: Which kind of element it belongs to.
        text: What a person sees inside the element; of a picture its alternative text.
        hidden: Whether the element is not seen.
    """

    written: str
    source: Source
    text: str
    hidden: bool


class Form(NamedTuple):
    """A form.

    Attributes:
        action: Where it is sent, as written; empty for the page itself.
        fields: Type of each field, in lower case: `password`, `email`, `text`.
        names: Names of the fields, in lower case.
        hints: What else says what belongs into them, in lower case: placeholders, labels.
    """

    action: str
    fields: tuple[str, ...]
    names: tuple[str, ...]
    hints: tuple[str, ...] = ()

    @property
    def asks_for_a_secret(self) -> bool:
        """Whether a field is for a password, or is called or labelled as one for secrets."""
        return "password" in self.fields or any(map(_is_secret, (*self.names, *self.hints)))


class Image(NamedTuple):
    """A picture.

    Attributes:
        written: Its address as written.
        tracking: Whether it is fetched from elsewhere and too small to be seen.
    """

    written: str
    tracking: bool


@dataclass(frozen=True, slots=True)
class Html:
    """One HTML part, read.

    Attributes:
        text: What a person sees: space collapsed, a line for each block.
        hidden: What is in the document and not seen, by the reason: display, visibility, opacity,
            position, box, size, colour.
        title: Of the `<title>` element, which mail readers do not show.
        alt: The alternative texts of pictures.
        links: Addresses in attributes, in the order of the document.
        forms: The forms.
        images: The pictures.
        base: Address that relative ones are relative to; empty when there is none.
        scripts: How many scripts and event handlers there are.
        scripted: What they say, letters by number and the like written out.
        whole: Whether the document was parsed; if not, tags were cut out and nothing is told apart.
    """

    text: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    alt: str = ""
    links: tuple[HtmlLink, ...] = ()
    forms: tuple[Form, ...] = ()
    images: tuple[Image, ...] = ()
    base: str = ""
    scripts: int = 0
    scripted: str = ""
    whole: bool = True


def _is_secret(name: str) -> bool:
    plain = _SIGNS_IN_NAMES.sub("", name)
    return plain in _SECRETS_WHOLE or plain.startswith(_SECRETS)
