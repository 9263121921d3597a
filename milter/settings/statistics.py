"""What statistics show, and the prices by which they tell what spam costs."""

from __future__ import annotations

from pydantic import Field

from milter.settings.section import Section


class Costs(Section):
    """Prices, all in one currency; 0: it is not counted as money."""

    currency: str = Field(
        default="EUR", pattern="^[A-Z]{3}$", description="Of all prices, ISO 4217, such as EUR"
    )
    gigabyte: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Price of 10^9 bytes of traffic"
    )
    cpu_hour: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Price of an hour of one processor"
    )
    admin_hour: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Price of an hour of the admin's"
    )
    admin_hours_a_month: float = Field(
        default=0.0, ge=0, le=744, description="Hours that filtering costs the admin in a month"
    )
    user_hour: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Price of an hour of a user's"
    )
    spam_minutes: float = Field(
        default=0.0, ge=0, le=60, description="Minutes that a user loses to one spam"
    )


class Statistics(Section):
    """What statistics show. Messages are counted wherever `store` is set."""

    privacy: bool = Field(
        default=False,
        description="Whether page and API show no blocks of addresses, no domains of recipients"
        " and no verdicts of single messages, not even to who has the token",
    )
    costs: Costs = Field(default=Costs(), description="Prices, for what was spent and saved")
