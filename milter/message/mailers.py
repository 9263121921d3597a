"""What known mail programs write: the form of their Message-IDs, boundaries and fields.

Each row is public knowledge that anybody can check in mail from the program or, where it is free,
in its source. Only what a program does in every version of the named range stands here. What
servers on the way do over is left out of all rows: see `SERVER_BOUNDARY`, and whoever asks has to
mind that a server adds a Message-ID where there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Mailer:
    """One mail program.

    Attributes:
        name: For people.
        called: How X-Mailer or User-Agent begin in its mail.
        message_id: What its Message-IDs look like, brackets included; None: they tell nothing.
        boundary: What the outermost boundary looks like; None: it tells nothing.
        always: Fields, in lower case, that it never leaves out.
        order: Fields, in lower case, that stand in this order in all its mail, those left out that
            are not there. Only fields that nothing on the way puts elsewhere.
    """

    name: str
    called: re.Pattern[bytes]
    message_id: re.Pattern[bytes] | None = None
    boundary: re.Pattern[bytes] | None = None
    always: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


def _mailer(  # noqa: PLR0917 - one argument a column
    name: str,
    called: bytes,
    ids: tuple[bytes, ...] = (),
    boundaries: tuple[bytes, ...] = (),
    always: tuple[str, ...] = (),
    order: tuple[str, ...] = (),
) -> Mailer:
    # Right of the @ stands any host, as a user may have called the computer.
    message_id = b"<(?:%b)@[^\\s<>@]{1,255}>" % b"|".join(ids)
    return Mailer(
        name,
        re.compile(called),
        re.compile(message_id) if ids else None,
        re.compile(b"|".join(boundaries)) if boundaries else None,
        always,
        order,
    )


_UUID: Final = rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# MimeOLE, the library of Outlook Express and Outlook: a counter, the time as FILETIME, and what
# tells the computer, in hexadecimal.
_MIMEOLE_ID: Final = rb"[0-9A-Fa-f]{12}\$[0-9A-Fa-f]{8}\$[0-9A-Fa-f]{8}"
_MIMEOLE_BOUNDARY: Final = rb"-{2,4}=_NextPart_[0-9A-F]{3}_[0-9A-F]{4}_[0-9A-F]{8}\.[0-9A-F]{8}"
_MIMEOLE_ORDER: Final = ("x-priority", "x-msmail-priority", "x-mailer", "x-mimeole")
# Outlook without Exchange ("Internet Mail Only"): letters that stand for a GUID and a counter, and
# the name of the account.
_IMO_ID: Final = rb"[A-P]{24,28}(?:\.[^\s<>@]{1,100})?"
_MIMEOLE_IDS: Final = (
    _MIMEOLE_ID,
    rb"[0-9A-Fa-f]{32}",  # Windows Mail, which says that it is Outlook Express
    # Accounts at Hotmail and MSN get the id of their servers.
    rb"(?:[A-Z]{2,8}\d+-)?(?:DAV|OE|SMTP|[A-Z]{3}\d{1,3}-)[0-9A-Za-z-]{1,60}",
)
_APPLE_BOUNDARY: Final = rb"Apple-Mail(?:-[\d-]{1,30}|[-=]_?" + _UUID + rb")"
# `1E2F3A4B.5060708`: the time and a random number, in all of the Mozilla family until 2013.
_MOZILLA_ID: Final = rb"[0-9A-F]{7,8}\.[0-9A-F]{1,8}"
# What news servers give to articles that came to mail through a gateway.
_NEWS_ID: Final = rb"[0-9A-Za-z]{4,8}\$[0-9A-Za-z]{1,5}\$\d{1,2}"

_MAILERS: Final = (
    _mailer(
        "Outlook Express",
        rb"Microsoft Outlook Express [4-6]\.",
        (*_MIMEOLE_IDS, _NEWS_ID),
        (_MIMEOLE_BOUNDARY,),
        ("x-mimeole",),
        _MIMEOLE_ORDER,
    ),
    _mailer(
        "Outlook",
        rb"Microsoft Outlook IMO, Build ",
        (_IMO_ID, _MIMEOLE_ID),
        (_MIMEOLE_BOUNDARY,),
        order=_MIMEOLE_ORDER,
    ),
    # With Exchange the id is that of the server.
    _mailer(
        "Outlook",
        rb"Microsoft (?:Office )?Outlook,? (?:Build )?1[0-6]\.",
        boundaries=(_MIMEOLE_BOUNDARY,),
        order=_MIMEOLE_ORDER,
    ),
    _mailer("The Bat!", rb"The Bat! \(v?\d", (rb"\d{1,12}\.\d{14}",), (rb"-{10}[0-9A-F]{10,30}",)),
    _mailer(
        "Thunderbird",
        rb"Mozilla[ -]Thunderbird|Thunderbird \d|Mozilla/5\.0 .*Thunderbird/",
        (_UUID, _MOZILLA_ID, _NEWS_ID),
        (rb"-{6,14}(?:[0-9A-Za-z]{24}|ms\d{12,40}|enig[0-9A-F]{16,40})", rb"[0-9A-Za-z]{32,34}"),
    ),
    _mailer("Apple Mail", rb"Apple Mail \(\d", (_UUID,), (_APPLE_BOUNDARY,)),
    _mailer("iPhone Mail", rb"(?:iPhone|iPad) Mail \(\d", (_UUID,), (_APPLE_BOUNDARY,)),
    _mailer(
        "Eudora",
        rb"QUALCOMM Windows Eudora ",
        (rb"\d(?:\.\d{1,2}){2,4}\.\d{14}\.[0-9A-Fa-f]{8}",),
        (rb"={5,30}_\d{1,12}==(?:_|_?\.[A-Z]{3})",),
    ),
    _mailer(
        "Evolution",
        rb"(?:Ximian )?Evolution[ /]\d",
        (rb"(?:\d{9,11}\.\d{1,9}\.\d{1,9}|[0-9a-f]{40})\.camel",),
        (rb"=-[0-9A-Za-z+/]{20}",),
    ),
    _mailer(
        "KMail",
        rb"KMail ?[/\[]",
        boundaries=(
            rb"-*Boundary-\d\d=_[0-9A-Za-z+/]{8,40}",
            rb"nextPart\d{4,12}\.[0-9A-Za-z]{8,12}",
        ),
    ),
    _mailer(
        "Alpine", rb"(?:Alpine|Pine) \d", (rb"(?:Pine|alpine)\.[A-Z0-9]{3}\.[0-9A-Za-z.]{6,80}",)
    ),
    _mailer("Roundcube", rb"Roundcube Webmail/", (rb"[0-9a-f]{32}",), (rb"=_[0-9a-f]{32}",)),
)
_NAMED: Final = re.compile(b"|".join(b"(?:%b)" % one.called.pattern for one in _MAILERS))
# Boundaries of programs that put a new multipart around what they pass on: Python's library, that
# is Mailman; MIME-tools, that is amavis and MIMEDefang; Courier's and Google's. Exchange
# writes all of them anew, whatever program hands a message in.
SERVER_BOUNDARY: Final = re.compile(
    rb"={10,20}\d{5,20}==|-{10}=_\d{5,15}-\d+-\d+|=_[\w.-]{1,100}-\d+-\d+-\d+-\d+|[0-9a-f]{28}"
    rb"|_\d{3}_[^\s]{4,100}_"
)


# Message-IDs that servers write over what was there: eYou's mail system, ListManager; Outlook.com,
# which keeps the other one as X-Microsoft-Original-Message-ID; Amazon SES.
SERVER_ID: Final = re.compile(
    rb"<(?:(?:\d{9}\.\d{5}|LYRIS-\d[^\s<>@]{1,200})@[^\s<>@]{1,255}"
    rb"|[0-9A-Z]{20,60}@[0-9A-Z]{4,20}\.(?i:[0-9a-z]{4,20}\.prod\.outlook\.com)"
    rb"|[0-9a-f]{16}-" + _UUID + rb"-\d{6}@[0-9a-z-]{4,20}\.amazonses\.com)>"
)


@lru_cache(maxsize=256)
def mailer_of(named: bytes) -> Mailer | None:
    """Return the program that the value of X-Mailer or User-Agent names; None: none of these."""
    if not _NAMED.match(named):
        return None
    return next((one for one in _MAILERS if one.called.match(named)), None)
