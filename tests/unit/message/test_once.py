"""A property that is worked out once."""

from __future__ import annotations

from milter.message.once import once


class Worked:
    """Counts how often it had to work."""

    def __init__(self) -> None:
        self.times = 0

    @once
    def answer(self) -> int:
        """The answer."""
        self.times += 1
        return 42


def test_property_is_worked_out_once_for_each_instance() -> None:
    first, second = Worked(), Worked()

    assert [first.answer, first.answer, second.answer] == [42, 42, 42]
    assert (first.times, second.times) == (1, 1)


def test_property_of_the_class_is_itself_and_keeps_its_words() -> None:
    assert Worked.answer.__doc__ == "The answer."
