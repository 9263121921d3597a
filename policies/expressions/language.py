"""Expressions of rules: text in, conditions out that are true or false of a message.

The language is CEL (github.com/google/cel-spec), typed by the table of facts and made kinder:
`score > 5` needs no point. Its work has a bound: expressions are short, lists are cut, no look
through a list stands inside another one, patterns are RE2. Whatever goes wrong when one is
evaluated is told, never taken for "false".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cel_expr_python import cel

from policies.expressions.functions import declarations
from policies.expressions.lifting import Lifted
from policies.expressions.reading import ExpressionError, Reading, Vocabulary, read
from policies.expressions.splitting import split
from policies.expressions.syntax import TooDeepError, read_tree
from policies.expressions.values import fact_pool, fact_types
from policies.expressions.words import explained

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policies.expressions.naming import BySymbols
    from policies.lists import LocalList

MAX_LENGTH: Final = 4096
# So many literals of one expression may be whole numbers where the other side is a number.
_MAX_LIFTED: Final = 40
_TOO_DEEP: Final = "nested too deep: make two rules of it"


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression.

    Attributes:
        text: As it was written.
        reading: What it reads.
        source: As it was compiled.
        program: The library's.
        by_symbols: Says of the symbols whether it can still be true; None: they do not say.
        rest: The program that decides where they leave it open, the same one for all conditions
            that share it; None: they never do.
    """

    text: str
    reading: Reading
    source: str
    program: Any
    by_symbols: BySymbols | None
    rest: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a condition is neither true nor false of a message."""

    why: str


class Language:
    """Compiles and evaluates the expressions of one policy file.

    Args:
        symbols: Every symbol that can be found.
        lists: The lists of the policy, by name.
        known_lists: Names that can be asked for; None: those of `lists`.
    """

    __slots__ = ("_env", "_rests", "_vocabulary")

    def __init__(
        self,
        symbols: Collection[str],
        lists: Mapping[str, LocalList],
        known_lists: Collection[str] | None = None,
    ) -> None:
        self._vocabulary = Vocabulary(symbols, lists if known_lists is None else known_lists)
        self._rests: dict[str, Any] = {}
        self._env = cel.NewEnv(
            fact_pool(), variables=dict(fact_types()), functions=declarations(lists)
        )

    @property
    def symbols(self) -> Collection[str]:
        """Every symbol that can be found."""
        return self._vocabulary.symbols

    def compile(self, text: str, also: Collection[str] = ()) -> Condition:
        """Return the condition that `text` is.

        Args:
            text: As it was written.
            also: Symbols that it may ask for though nothing finds them.

        Raises:
            ExpressionError: It is none; the error knows the character at which it goes wrong.
        """
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"longer than {MAX_LENGTH:,} characters", MAX_LENGTH)
        tree = self._tree(text)
        known = self._vocabulary
        if also:
            known = Vocabulary({*known.symbols, *also}, known.lists)
        reading = read(tree, known)
        lifted = Lifted(text)
        for _ in range(_MAX_LIFTED):
            try:
                program = self._env.compile(lifted.text)
                break
            except RuntimeError as err:
                if not lifted.lift(str(err), tree):
                    raise explained(str(err), text, lifted.original) from err
        else:
            raise ExpressionError(f"more than {_MAX_LIFTED} whole numbers: write 5.0 for 5")
        if program.return_type() != cel.Type.BOOL:
            raise ExpressionError("this is neither true nor false: compare it with something")
        parts = split(tree, lifted)
        rest = self._rest(parts.rest, program) if parts.by_symbols else program
        return Condition(text, reading, lifted.text, program, parts.by_symbols, rest)

    def _rest(self, text: str, whole: Any) -> Any:
        """Return the program of what `split` has left; `whole` where that is no expression."""
        if not text:
            return None
        if text not in self._rests:
            try:
                self._rests[text] = self._env.compile(text)
            except RuntimeError:
                return whole
        return self._rests[text]

    def together(self, conditions: Sequence[Condition]) -> Any:
        """Return one program that evaluates all of `conditions`; None where there are too many."""
        if len(conditions) < 2:
            return None
        try:
            return self._env.compile(f"[{', '.join(f'({each.source})' for each in conditions)}]")
        except RuntimeError:
            return None

    def message(self, known: Mapping[str, Any]) -> Any:
        """Return one message, for `holds`: its facts as `policies.expressions.values` has them."""
        return self._env.Activation(known)

    def _tree(self, text: str) -> Any:
        try:
            return read_tree(self._env.compile(text, disable_check=True).serialize())
        except TooDeepError as err:
            raise ExpressionError(_TOO_DEEP) from err
        except RuntimeError as err:
            raise explained(str(err), text, lambda offset: offset) from err


def holds(program: Any, message: Any) -> bool | Failure:
    """Return whether the program of a condition is true of `message`, or why that is not known."""
    try:
        result = program.eval(message).value()
    except RuntimeError as err:
        return Failure(_short(str(err)))
    return result if isinstance(result, bool) else Failure(_short(str(result)))


def all_hold(program: Any, message: Any) -> Sequence[bool] | None:
    """Return what each condition of a program made by `together` is; None where one has failed."""
    try:
        results = program.eval(message).plain_value()
    except RuntimeError:
        return None
    if isinstance(results, list) and set(map(type, results)) == {bool}:
        return results
    return None


def _short(error: str) -> str:
    """Return what the library says without the name of its kind of error, before and behind."""
    said = error.partition(": ")[2] or error
    return (said.rpartition(" [")[0] if said.endswith("]") else said)[:200]
