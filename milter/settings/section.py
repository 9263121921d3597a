"""What every section of the configuration is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of the configuration file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
