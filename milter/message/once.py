"""A property that is worked out when it is first read.

`functools.cached_property` does the same and takes a lock each first time in Python 3.11, which is
more than most of these properties cost. A message is read by one thread at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801 -- named and used like `property`
    """Make a method a property that keeps its first value in the instance.

    Args:
        work_out: The method.
    """

    def __init__(self, work_out: Callable[[Any], Value]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> Self | Value:
        # Without `__set__` the value in the instance hides this property from then on.
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work_out(instance)
        return value
