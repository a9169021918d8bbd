"""Programs that are called with plain data and answer with plain data: all that the simplest domains need.

>>> solve = Function(program, self.components[0], sandbox, limits)
>>> answer = number(solve(task.budget, [1.0, 2.0]))

Numbers, strings, booleans, None, lists and dicts cross as JSON in both directions, numpy arrays as nested lists.
Nothing is unpickled. What `Function` returns is data that an untrusted program chose: `number` and `array` refuse
what is not of the expected kind, and a domain checks the rest.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluators.contract import Component, InvalidAnswer
from sandbox.base import Limits, Sandbox, SandboxFault, Verdict

MAX_BYTES = 1 << 20
_SHOWN = 60


class Function:
    """A method of a program, in a session of its own: one instance of the class, which may keep state between calls.

    Args:
        program: source of the program.
        component: which class and method.
        sandbox: where the program runs; its session before must be closed.
        limits: of the session.
        max_bytes: of the arguments of a call, and of an answer, as JSON.

    Raises:
        SandboxFault: the program does not start.
    """

    def __init__(
        self,
        program: str,
        component: Component,
        sandbox: Sandbox,
        limits: Limits,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._component, self._max_bytes = component, max_bytes
        self._session = sandbox.open(_guest(), program, limits=limits, shared_bytes=2 * max_bytes)

    def __call__(self, *arguments: Any) -> Any:
        """Return the program's answer, as `json.loads` gives it.

        Raises:
            InvalidAnswer: it is no JSON value, or too large.
            SandboxFault: the program failed.
            ValueError: the arguments are too large.
            TypeError: they are no plain data.
        """
        component = self._component
        text = json.dumps([component.name, component.method, arguments], default=_plain)
        if len(text) > self._max_bytes:
            raise ValueError(f"arguments: expected at most {self._max_bytes} bytes as JSON; got {len(text)}")
        sent = np.frombuffer(text.encode(), np.uint8)
        try:
            answer = self._session.call("call", (self._max_bytes,), (sent,))
        except SandboxFault as fault:
            if fault.verdict is Verdict.BAD_RESULT:
                raise InvalidAnswer(f"{component.name}.{component.method}: {fault.message}") from fault
            raise
        try:
            return json.loads(answer[0].tobytes())
        except (ValueError, RecursionError, IndexError) as error:
            raise InvalidAnswer(
                f"{component.name}.{component.method}: expected a JSON value; its answer is none: {error}"
            ) from error

    def close(self) -> None:
        """End the program, so that the sandbox can start another one. At the end of a task that is done anyway."""
        self._session.close()


def number(value: Any, *, low: float = -math.inf, high: float = math.inf, what: str = "answer") -> float:
    """Return an answer that is to be a finite number between `low` and `high`.

    Raises:
        InvalidAnswer: it is something else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
        if math.isfinite(result) and low <= result <= high:
            return result
    between = "" if (low, high) == (-math.inf, math.inf) else f" between {low:g} and {high:g}"
    raise InvalidAnswer(f"{what}: expected a finite number{between}; got {shown(value)}")


def array(
    value: Any,
    shape: Sequence[int | None],
    *,
    low: float = -math.inf,
    high: float = math.inf,
    what: str = "answer",
) -> NDArray[np.float64]:
    """Return an answer that is to be nested lists of finite numbers between `low` and `high`, as an array.

    Args:
        value: the answer.
        shape: length of each dimension; None where any will do.
        low: smallest number.
        high: largest number.
        what: what messages call it.

    Raises:
        InvalidAnswer: it is something else.
    """
    expected = f"({', '.join('any' if length is None else str(length) for length in shape)})"
    try:
        result = np.asarray(value)
    except ValueError:
        result = np.empty(0, object)
    if result.dtype.kind not in "iuf" or not isinstance(value, list):
        raise InvalidAnswer(f"{what}: expected numbers in the shape {expected}; got {shown(value)}")
    fits = len(shape) == result.ndim and all(
        length in (None, actual) for length, actual in zip(shape, result.shape, strict=True)
    )
    if not fits:
        raise InvalidAnswer(f"{what}: expected numbers in the shape {expected}; got {result.shape}")
    result = result.astype(np.float64)
    wrong = ~(np.isfinite(result) & (result >= low) & (result <= high))
    if wrong.any():
        for entry in result[wrong][:1]:
            number(float(entry), low=low, high=high, what=f"{what}: an entry")
    return result


def shown(value: Any) -> str:
    """Return what an answer is, in a few words."""
    text = repr(value)
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return short if value is None or isinstance(value, int | float) else f"a {type(value).__name__}, {short}"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(
        f"arguments: expected numbers, strings, lists, dicts and arrays; got {type(value).__name__}"
    )


@cache
def _guest() -> str:
    return (Path(__file__).parent / "guest.py").read_text(encoding="utf-8")
