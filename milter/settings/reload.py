"""When the configuration is read again, and when a new one is taken back."""

from __future__ import annotations

from pydantic import Field

from milter.settings.section import Section


class Guard(Section):
    """How far the verdicts of a new configuration may be from the usual ones.

    The usual shares are those of the configuration before it. A share is too large when it is so
    many times the usual one, or when what is left of the others is so many times smaller.
    """

    over_messages: int = Field(
        default=200,
        ge=20,
        le=100_000,
        description="Verdicts of the new configuration that are compared; as many usual ones must "
        "be known, else it is taken as it is",
    )
    reject_share_times: float | None = Field(
        default=5.0, gt=1, description="For rejected and discarded messages; null: not compared"
    )
    defer_share_times: float | None = Field(
        default=5.0, gt=1, description="For deferred messages; null: not compared"
    )
    quarantine_share_times: float | None = Field(
        default=5.0, gt=1, description="For quarantined messages; null: not compared"
    )
    tag_share_times: float | None = Field(
        default=None, gt=1, description="For tagged messages; absent: not compared"
    )
    least_percent: float = Field(
        default=5.0, ge=0, le=100, description="A share up to this is never too large"
    )


class Reload(Section):
    """Reading the configuration again while mail is taken; SIGHUP always asks for it."""

    watch: bool = Field(
        default=False,
        description="Whether a change of a file that was read, policies and lists included, asks "
        "for it too",
    )
    every_s: float = Field(
        default=2.0,
        ge=0.5,
        le=3600,
        description="Seconds between two looks at the files; they are read when two looks in a row "
        "see the same change",
    )
    guard: Guard | None = Field(
        default=None, description="When the one before is taken back by itself; absent: never"
    )
