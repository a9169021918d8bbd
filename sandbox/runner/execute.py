"""Loads a guest and a program and finds the guest's handlers; the same code in a child and in-process.

What goes wrong becomes a `Failure`: the name of a verdict and a message that a person or a language model can
act on, with the line of the *program* in which it happened.
"""

from __future__ import annotations

import errno
import random
import sys
import types
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from . import wire

Handler = Callable[[tuple[float, ...], tuple[wire.Array, ...]], Sequence[wire.Array]]
Ask = Callable[[str, Sequence[float], Sequence[wire.Array]], tuple[wire.Array, ...]]

PROGRAM, GUEST = "program", "guest"
MAX_MESSAGE = 2000
FAILURES = ("exception", "memory", "bad_result", "output_limit")
"""Verdicts that the inside may claim about itself; all others are decided outside."""


class BadResult(Exception):
    """Raised by a guest when the program returned something of the wrong type or shape."""


class Failure(NamedTuple):
    """Why a program or a handler did not finish: one of `FAILURES` and the message."""

    verdict: str
    message: str


def clean(text: str, limit: int = MAX_MESSAGE) -> str:
    """Return `text` without control characters (line breaks and tabs stay), at most `limit` characters."""
    kept = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text[: 2 * limit])
    return kept if len(kept) <= limit and len(text) <= 2 * limit else kept[: limit - 4] + " ..."


def _compiled(source: str, name: str) -> types.CodeType:
    return compile(source, f"{name}.py", "exec", dont_inherit=True)


@lru_cache(maxsize=8)
def guest_code(source: str) -> types.CodeType:
    """Compile a guest. A runner, which trusts its driver, does that once for many children."""
    return _compiled(source, GUEST)


def seed_generators(seed: int) -> None:
    """Start the global generators of ``random`` and ``numpy.random`` from `seed`, which is below 2**64."""
    random.seed(seed)
    np.random.seed((seed & 0xFFFFFFFF, seed >> 32))


class Loaded:
    """A guest with its program, started."""

    def __init__(self, guest: str, program: str, ask: Ask) -> None:
        """Execute the program, then the guest, then ``start(program)``.

        The program's module stays in ``sys.modules`` since dataclasses look their module up there.

        Raises:
            BaseException: whatever program or guest raise; `describe` turns it into a `Failure`.
        """
        module = types.ModuleType(PROGRAM)
        sys.modules[PROGRAM] = module
        exec(_compiled(program, PROGRAM), module.__dict__)
        host = types.ModuleType(GUEST)
        host.__dict__.update(BadResult=BadResult, callback=ask)
        exec(guest_code(guest), host.__dict__)
        self._handlers: dict[str, Handler] = dict(host.__dict__["start"](module))

    def handler(self, name: str) -> Handler:
        """Return the guest's handler `name`.

        Raises:
            BadResult: the guest has none of that name.
        """
        try:
            return self._handlers[name]
        except KeyError:
            known = ", ".join(self._handlers)
            raise BadResult(f"handler: expected one of {known}; got {name!r}") from None


def result_specs(name: str, results: Any) -> tuple[wire.Spec, ...]:
    """Return the specs of what handler `name` returned.

    Raises:
        BadResult: it is no sequence of arrays of the carried types.
    """
    if not isinstance(results, tuple | list):
        raise BadResult(f"{name}: expected a tuple of numpy arrays, got {type(results).__name__}")
    try:
        return wire.specs_of(results, f"{name}: result")
    except wire.WireError as error:
        raise BadResult(str(error)) from None


def describe(error: BaseException, program: str) -> Failure:
    """Return the verdict and the message of what loading or calling raised; never raises, whatever `error` does.

    Args:
        error: the exception, with its traceback.
        program: source of the program, to quote the line from.
    """
    verdict = "exception"
    try:
        verdict = _verdict(error)
        where = _where(error, program.splitlines())
        return Failure(verdict, clean(_text(error), MAX_MESSAGE - len(where)) + where)
    except BaseException:  # noqa: BLE001 - the program wrote this exception's class
        return Failure(verdict, "an exception that cannot be described")


def _verdict(error: BaseException) -> str:
    """Return the one of `FAILURES` that an exception stands for."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "memory"
    if isinstance(error, BadResult):
        return "bad_result"
    return "output_limit" if isinstance(error, wire.NoRoomError) else "exception"


def _text(error: BaseException) -> str:
    """Return ``Type: text``, or only the text for errors that are messages already."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - the program wrote this method
        text = "(its __str__ failed)"
    if not isinstance(text, str):
        text = "(its __str__ failed)"
    if isinstance(error, BadResult | wire.NoRoomError):
        return text
    if isinstance(error, ImportError) and error.name and _is_absent(error, text):
        return f"{type(error).__name__}: module {error.name} is not available in the sandbox"
    if isinstance(error, SyntaxError) and error.filename == f"{PROGRAM}.py":
        return f"{type(error).__name__}: {error.msg}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_absent(error: ImportError, text: str) -> bool:
    """Return whether a module could not be found, or was an extension that may not be mapped any more."""
    refused = ("failed to map segment", "cannot open shared object file", "Operation not permitted")
    return isinstance(error, ModuleNotFoundError) or any(reason in text for reason in refused)


def _where(error: BaseException, lines: list[str]) -> str:
    """Return the last line of the program (else of the guest) in the traceback: `` (program.py, line 3: `x`)``."""
    line_of: dict[str, int] = {}
    trace = error.__traceback__
    while trace is not None:
        line_of[trace.tb_frame.f_code.co_filename] = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == f"{PROGRAM}.py" and error.lineno:
        line_of = {error.filename: error.lineno}
    if (number := line_of.get(f"{PROGRAM}.py")) is not None:
        source = lines[number - 1].strip() if 0 < number <= len(lines) else ""
        return f" ({PROGRAM}.py, line {number}" + (f": `{clean(source, 200)}`)" if source else ")")
    if (number := line_of.get(f"{GUEST}.py")) is not None and not isinstance(error, BadResult):
        return f" ({GUEST}.py, line {number})"
    return ""
