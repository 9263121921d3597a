"""What all sections of a policy file are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from policies.shapes import Form

# Bounded, so that no slip of the hand hides every other weight.
Points = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
Threshold = Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)]
Name = Annotated[
    str, Form(r"[a-z0-9][a-z0-9_-]{0,39}", "a short name in small letters, such as mail-eu")
]
NonEmpty = Annotated[str, Form(r"[\s\S]+", "some text")]
Strings = str | Annotated[tuple[str, ...], Field(min_length=1)]


class Section(BaseModel):
    """A mapping of the policy file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
