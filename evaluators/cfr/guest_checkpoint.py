"""Runs beside a CFR program whose solver may be saved: its state as bytes, and from bytes again.

The text follows that of the guest into the sandbox and replaces its ``start``. State is what the players' objects
have as attributes, what the program's classes and its module have as data, and where the global generators are:
numbers, strings, arrays, lists, tuples, dicts and objects of the program's own classes. What two attributes share
they share afterwards too.
"""

import json
import random
from collections import defaultdict
from types import ModuleType

import numpy as np

FACTORIES = {"float": float, "int": int, "list": list, "dict": dict, "None": None}
"""What a defaultdict may be filled from."""

DATA = "numbers, strings, arrays, lists, tuples, dicts and objects of the program's own classes"


class Unsaved(Exception):
    """State that is none of `DATA`."""


class Writer:
    """Values as JSON and the bytes of their arrays.

    What is no plain number or string is [kind, what it holds, running number], a number of numpy's without the last,
    and what was written before is ["same", its number].
    """

    def __init__(self, class_names):
        self.class_names, self.numbers, self.chunks, self.size = class_names, {}, [], 0

    def value(self, value, where):
        """A value as JSON; `where` is what a message calls it."""
        kind = type(value)
        if value is None or kind in (bool, int, float, str):
            return value
        if isinstance(value, np.generic):
            return ["scalar", self.bytes_of(np.array(value), where)]
        if id(value) in self.numbers:
            return ["same", self.numbers[id(value)]]
        number = self.numbers[id(value)] = len(self.numbers)
        return [*self.contents(kind, value, where), number]

    def contents(self, kind, value, where):
        """A value with parts, as its kind and what it holds."""
        if kind is np.ndarray:
            return ["array", self.bytes_of(value, where)]
        if kind in (list, tuple):
            return [kind.__name__, [self.value(one, f"{where}[{k}]") for k, one in enumerate(value)]]
        if kind is dict or (kind is defaultdict and value.default_factory in FACTORIES.values()):
            factory = getattr(getattr(value, "default_factory", dict), "__name__", "None")
            return [kind.__name__, [factory, self.pairs(value, where)]]
        if kind in self.class_names and hasattr(value, "__dict__"):
            return ["object", [self.class_names[kind], self.attributes(vars(value), where)]]
        raise Unsaved(f"{where}: expected {DATA}; got a {kind.__name__}")

    def pairs(self, mapping, where):
        """A mapping as a list of pairs."""
        return [
            [self.value(key, f"a key of {where}"), self.value(value, f"{where}[{key!r:.40}]")]
            for key, value in mapping.items()
        ]

    def attributes(self, mapping, owner):
        """Attributes by name as a list of pairs."""
        return [[name, self.value(value, f"{owner}.{name}")] for name, value in mapping.items()]

    def bytes_of(self, array, where):
        """An array's type, shape, order in memory and place among the bytes, which are kept."""
        if array.dtype.kind not in "biufc":
            raise Unsaved(f"{where}: expected an array of numbers; got one of {array.dtype}")
        order = next((order for order in "CF" if array.flags[f"{order}_CONTIGUOUS"]), None)
        if order is None:
            raise Unsaved(f"{where}: expected an array whose numbers stand together; got a view, copy it")
        self.chunks.append(array.tobytes("A"))
        self.size += array.nbytes
        return [array.dtype.str, array.shape, order, self.size - array.nbytes]


class Reader:
    """What a `Writer` wrote."""

    def __init__(self, classes, data):
        self.classes, self.data, self.values = classes, data, {}

    def value(self, written):
        """A value from JSON."""
        if not isinstance(written, list):
            return written
        if len(written) == 2:
            kind, held = written
            return self.values[held] if kind == "same" else self.array(*held)[()]
        kind, held, number = written
        if kind == "array":
            self.values[number] = self.array(*held)
        elif kind == "tuple":
            self.values[number] = tuple([self.value(one) for one in held])
        elif kind == "list":
            self.values[number] = made = []
            made.extend(self.value(one) for one in held)
        elif kind == "object":
            owner = self.classes[held[0]]
            self.values[number] = made = owner.__new__(owner)
            vars(made).update(self.pairs(held[1]))
        else:
            self.values[number] = made = {} if kind == "dict" else defaultdict(FACTORIES[held[0]])
            made.update(self.pairs(held[1]))
        return self.values[number]

    def pairs(self, written):
        """A dict from a list of pairs."""
        return {self.value(key): self.value(value) for key, value in written}

    def array(self, dtype, shape, order, begin):
        """An array from the bytes, writable."""
        dtype = np.dtype(dtype)
        count = int(np.prod(shape, dtype=np.int64))
        flat = np.frombuffer(self.data, dtype, count, begin).copy()
        return flat.reshape(shape, order=order)


class State:
    """A program's state in a session, as bytes that travel in parts."""

    def __init__(self, program, players):
        self.program, self.players = program, players
        own = {
            k: v for k, v in vars(program).items() if isinstance(v, type) and v.__module__ == program.__name__
        }
        beside = {k: v for k, v in globals().items() if isinstance(v, type) and v.__module__ == __name__}
        self.own, self.classes = own, own | {f"guest {name}": one for name, one in beside.items()}
        self.bytes = b""

    def save(self, scalars, arrays):
        """How many bytes there are to fetch; or -1 and why there are none."""
        try:
            self.bytes = self.written()
        except (Unsaved, RecursionError) as error:
            return np.array([-1]), np.frombuffer(str(error).encode(errors="replace"), np.uint8)
        return (np.array([len(self.bytes)]),)

    def fetch(self, scalars, arrays):
        """A part of the bytes, scalars: from where to where."""
        begin, end = map(int, scalars)
        return (np.frombuffer(self.bytes[begin:end], np.uint8),)

    def push(self, scalars, arrays):
        """Take the next part of saved bytes."""
        self.bytes += arrays[0].tobytes()
        return ()

    def restore(self, scalars, arrays):
        """Become what the bytes that were pushed say."""
        size = int.from_bytes(self.bytes[:8], "little")
        reader = Reader(self.classes, self.bytes[8 + size :])
        players, own, module, generators = json.loads(self.bytes[8 : 8 + size])
        for player, written in zip(self.players, players, strict=True):
            vars(player).clear()
            vars(player).update(reader.pairs(written))
        for name, written in own:
            for attribute, value in reader.pairs(written).items():
                setattr(self.own[name], attribute, value)
        vars(self.program).update(reader.pairs(module))
        for restore, state in zip((random.setstate, np.random.set_state), generators, strict=True):
            restore(reader.value(state))
        self.bytes = b""
        return ()

    def written(self):
        """The length of the JSON, the JSON, the arrays."""
        writer = Writer({one: name for name, one in self.classes.items()})
        generators = random.getstate(), np.random.get_state()
        description = [
            [writer.attributes(vars(player), f"player {k}") for k, player in enumerate(self.players)],
            [[name, writer.attributes(data(vars(one)), name)] for name, one in self.own.items()],
            writer.attributes(data(vars(self.program)), "program"),
            [writer.value(state, "generator") for state in generators],
        ]
        text = json.dumps(description, separators=(",", ":")).encode()
        return len(text).to_bytes(8, "little") + text + b"".join(writer.chunks)


def data(namespace):
    """What a class or a module has beside functions, classes, modules and what annotations need."""
    return {
        name: value
        for name, value in namespace.items()
        if not name.startswith("__")
        and not isinstance(value, ModuleType)
        and not callable(value)
        and not hasattr(type(value), "__get__")
        and type(value).__module__ not in ("typing", "__future__")
    }


start_plain, handlers_plain = start, handlers  # noqa: F821
at_work = []


def handlers(make):
    """As the guest's, and the players are kept for `start`."""

    def kept(arrays):
        at_work.extend(make(arrays))
        return at_work

    return handlers_plain(kept)


def start(program):
    """As the guest's, and the state that can be fetched and pushed."""
    state = State(program, at_work)
    more = {"save": state.save, "fetch": state.fetch, "push": state.push, "restore": state.restore}
    return start_plain(program) | more
