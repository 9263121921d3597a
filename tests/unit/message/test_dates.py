from __future__ import annotations

from datetime import UTC, datetime

import pytest

from milter.message.dates import parse_date


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", datetime(1997, 11, 21, 15, 55, 6, tzinfo=UTC)),
        (b"21 Nov 97 09:55:06 GMT", datetime(1997, 11, 21, 9, 55, 6, tzinfo=UTC)),
        (b"Thu, 13 Feb 1969 23:32 -0330 (Newfoundland)", datetime(1969, 2, 14, 3, 2, tzinfo=UTC)),
        (b"Mon,  1 Jan 2024 00:00:00 +0000 (UTC)", datetime(2024, 1, 1, tzinfo=UTC)),
        (b"1 Jul 2003 ((a) b) 10:52:37 +0200", datetime(2003, 7, 1, 8, 52, 37, tzinfo=UTC)),
        (b"Tue, 19 Oct 2004 10:6:5 +0800", datetime(2004, 10, 19, 2, 6, 5, tzinfo=UTC)),
        (b"31 Dec 2016 23:59:60 EST", datetime(2017, 1, 1, 4, 59, 59, tzinfo=UTC)),
    ],
)
def test_parse_date_reads_current_and_obsolete_forms(value: bytes, moment: datetime) -> None:
    assert parse_date(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"yesterday",
        b"Fri, 31 Feb 2024 00:00:00 +0000",
        b"Fri, 21 Nov 1997 25:00:00 +0000",
        b"Fri, 21 Nov 1997 09:55:06 +0099",
        b"Fri, 21 Nov 1997 09:55:06",
        b"1997-11-21T09:55:06Z",
        b"1 Jan 0001 00:00:00 +9959",
        b"9" * 5000,
    ],
)
def test_parse_date_of_what_names_no_moment_is_none(value: bytes) -> None:
    assert parse_date(value) is None
