"""How elements are seen, handed down from what lies around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.message.html.colour import BLACK, WHITE, alike
from milter.message.html.place import is_beside, moved_on
from milter.message.html.style import PLAIN, SILENT, tiny

if TYPE_CHECKING:
    from milter.message.html.colour import Colour
    from milter.message.html.style import Style


# The first line of a text is beside the page, and that alone.
INDENTED: Final = "indent"
_USUAL_PX: Final = 16.0


class Seen:
    """How an element is seen, and what it lies in. Shared by those that add nothing."""

    __slots__ = (
        *("background", "colour", "form", "hidden", "indent", "link", "mute", "reversed", "size"),
        *("styled", "why", "x", "y"),
    )

    def __init__(self) -> None:
        self.hidden = ""
        self.colour: Colour | None = BLACK
        self.background: Colour | None = WHITE
        self.size: float | None = None
        # How far it is moved to the right and down, and its first line, in pixels.
        self.x = self.y = self.indent = 0.0
        self.link = -1
        self.form = -1
        self.mute = False
        self.reversed = False
        # Why text here is not seen; None: not worked out yet.
        self.why: str | None = None
        # How elements with a style are seen that lie here: the rows of a table are all alike.
        self.styled: dict[int, tuple[Style, Seen]] = {}

    def copy(self) -> Seen:
        """Return how an element is seen that differs from this one in something."""
        other = Seen.__new__(Seen)
        other.hidden, other.colour, other.background = self.hidden, self.colour, self.background
        other.size, other.link, other.form = self.size, self.link, self.form
        other.x, other.y, other.indent = self.x, self.y, self.indent
        other.mute, other.reversed = self.mute, self.reversed
        other.why, other.styled = self.why, {}
        return other

    @property
    def is_hidden(self) -> bool:
        """Whether nothing here is seen, be it of what colour and size it may."""
        return bool(self.hidden or ((self.x or self.y) and is_beside(self.x, self.y)))

    def reason(self) -> str:
        """Return why text here is not seen; empty when it is."""
        if self.why is None:
            self.why = self._reason()
        return self.why

    def _reason(self) -> str:
        if self.hidden:
            return self.hidden
        if is_beside(self.x, self.y):
            return "position"
        if tiny(self.size):
            return "size"
        colour, background = self.colour, self.background
        if colour is not None and background is not None and alike(colour, background):
            return "colour"
        return INDENTED if is_beside(self.x + self.indent, 0.0) else ""


def handed_down(around: Seen, style: Style) -> Seen:
    """Return how an element of `style` is seen that lies in what is seen as `around`."""
    if style is PLAIN or style is SILENT:
        return around
    known = around.styled.get(id(style))
    # The style is kept beside, so that no other one can come to have its id.
    if known is not None and known[0] is style:
        return known[1]
    inside = around.copy()
    inside.why = None
    if style.hidden:
        inside.hidden = inside.hidden or style.hidden
    elif style.visible and inside.hidden == "visibility":
        inside.hidden = ""
    inside.size = _size(around, style)
    inside.x = moved_on(around.x, style.x)
    inside.y += style.y
    inside.indent = inside.indent if style.indent is None else style.indent
    if style.background is not None:
        inside.background = style.background
    if style.pictured:
        inside.background = None
    inside.reversed = inside.reversed or style.reversed
    if style.transparent:
        inside.hidden = inside.hidden or "colour"
    elif style.colour is not None:
        inside.colour = style.colour
    around.styled[id(style)] = (style, inside)
    return inside


def _size(around: Seen, style: Style) -> float | None:
    if style.size_times is None:
        return around.size if style.size_px is None else style.size_px
    return style.size_times * (_USUAL_PX if around.size is None else around.size)
