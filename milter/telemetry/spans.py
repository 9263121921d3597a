"""A trace as plain values: what took how long within what. How it is sent is `otlp`'s business."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Attribute = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took its time, with what it was made of.

    Attributes:
        name: One of few: it names a kind of thing, never this one.
        start: When it began, in seconds since the epoch.
        end: When it ended.
        attributes: What is known of it.
        children: What it was made of.
        failed: Whether it did not do what it should.
    """

    name: str
    start: float
    end: float
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    children: tuple[Span, ...] = ()
    failed: bool = False
