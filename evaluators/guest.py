"""Runs beside a program inside the sandbox: calls one of its methods with JSON, and answers with JSON.

Sent as text; imports nothing but the standard library and numpy. ``BadResult`` is put into the globals by the runner.
"""

import json

import numpy as np


def start(program):
    """Return the handler ``call``, whose one array is the JSON of [class, method, arguments] in bytes."""
    instances = {}

    def call(scalars, arrays):
        owner, method, arguments = json.loads(arrays[0].tobytes())
        if owner not in instances:
            instances[owner] = getattr(program, owner)()
        return (_encoded(getattr(instances[owner], method)(*arguments), int(scalars[0])),)

    return {"call": call}


def _encoded(answer, max_bytes):
    try:
        text = json.dumps(answer, default=_plain, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(answer).__name__
        raise BadResult(f"expected numbers, strings, lists and dicts; got a {kind}: {error}") from None  # noqa: F821
    if len(text) > max_bytes:
        raise BadResult(f"expected an answer of at most {max_bytes} bytes as JSON; got {len(text)}")  # noqa: F821
    return np.frombuffer(text.encode(), np.uint8)


def _plain(value):
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is none of them")
