"""How long a session may lead nowhere: errors and commands between two messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.reply import Reply
from milter.smtp.step import Next, Step

if TYPE_CHECKING:
    from milter.smtp.door import SessionBounds

_TOO_MANY_ERRORS: Final = Step(Reply.of(421, "4.7.0 Too many errors"), Next.CLOSE)
_TOO_MANY_COMMANDS: Final = Step(Reply.of(421, "4.7.0 Too many commands without mail"), Next.CLOSE)


class Patience:
    """What a client has used up of it.

    Args:
        bounds: How much there is.
    """

    __slots__ = ("_bounds", "_errors", "_postponed", "_unproductive")

    def __init__(self, bounds: SessionBounds) -> None:
        self._bounds = bounds
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all: a message came through."""
        self._errors = self._unproductive = self._postponed = 0

    def note_idle(self) -> None:
        """Count a command that brings no message nearer."""
        self._unproductive += 1

    def note_postponed(self) -> None:
        """Let a recipient who is to come again count for nothing, as many of them as may come.

        The client did nothing wrong, and would lose those who were accepted before.
        """
        self._postponed += 1
        if self._postponed <= self._bounds.recipients:
            self._unproductive -= 1

    def bounded(self, step: Step) -> Step:
        """Return `step`, or the end of a session that leads nowhere."""
        reply = step.reply
        if reply is None or step.next is Next.CLOSE:
            return step
        if reply.code >= 400:
            self._unproductive += 1
            self._errors += reply.code >= 500
        if self._errors > self._bounds.errors:
            return _TOO_MANY_ERRORS
        if self._unproductive > self._bounds.commands:
            return _TOO_MANY_COMMANDS
        return step
