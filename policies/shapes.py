"""Text of a certain form, with the words that say what is needed where it has another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

# The kind of error that `mistakes` shows as "needs ...".
NEEDS: Final = "needs"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of text, for `Annotated[str, Form(...)]`.

    Attributes:
        pattern: A regular expression that the whole text matches.
        needs: What is needed, in words that follow "needs".
        read: Reads what the pattern cannot tell, such as the days of a month; raises ValueError.
    """

    pattern: str
    needs: str
    read: Callable[[str], object] = str

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}

    def _checked(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None or not self._reads(text):
            raise PydanticCustomError(NEEDS, "{needs}", {"needs": self.needs})
        return text

    def _reads(self, text: str) -> bool:
        try:
            self.read(text)
        except ValueError:
            return False
        return True
