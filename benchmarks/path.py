"""The way of one candidate through the code, traced in a small campaign: from its parents to `results top`.

A hop is the entry of a named function of ours that lies in another module than its caller, counted once however often
it is entered. A record type is a dataclass, NamedTuple or pydantic class of ours of which at least one instance is
created on the way. Both are followed from `START`, where the candidate's parents are chosen, through the campaign's
process and the evaluation worker's until the next candidate's parents are chosen, and then through one call of `END`.

Not counted, because it is no step of the way:

* what lies below a plug-in's own entry (`PLUG_INS`): how an operator makes a source, how a domain reads a program's
  interface, runs it and scores it, how a sandbox ends it. The entry itself counts, and so does a record
  that it returns;
* properties, lambdas and a record's own checks: reading a value, and building one;
* what a library other than the standard one calls back, such as the column types of the database;
* the next candidate's preparation, where it is a task of its own.

The functions that these rules leave out are counted beside the hops, so that nobody has to take the rules on trust.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, Self

from evaluators.records import Evaluation
from evolve.cli.output import console
from evolve.config import parse_config
from evolve.evaluation.job import run_job
from evolve.search.proposer import Proposer
from evolve.search.run import run
from results.queries import top
from results.store import open_store

START = Proposer.draft
"""Where the parents of candidate `ordinal` (an argument) are chosen."""
END = top
"""What makes the rows of `results top`."""

OURS = frozenset({"evolve", "evaluators", "sandbox", "results"})
PLUG_INS = re.compile(
    r"evolve\.operators\.[\w.]+:(\w+\.)*propose|evaluators\.[\w.]+:(\w+\.)*(check|run|scores|stage_score)"
    r"|sandbox\.\w+:\w+\.(open|close|level)"
)
"""``module:function`` of the entries of operators, domains and sandboxes."""

HOPS, RECORDS = 30, 12
"""Targets: the most that the way of a candidate is to take."""

CAMPAIGN = {
    "operator": "symbolic",
    "crossover": 0.0,
    "games": ["kuhn2", "goofspiel3"],
    "tiers": ["exact"],
    "iterations": 5,
    "candidates": 6,
    "workers": 1,
    "lookahead": 1,
}
"""One candidate at a time, and no held-out game left to evaluate at the end."""


class Entry(NamedTuple):
    """A function of ours that was entered from another module, or a record that was created.

    Attributes:
        at_s: of the monotonic clock, which processes share.
        name: ``module.function`` or ``module.class``.
        caller: the function of ours that is nearest in the stack, "" where there is none.
        left_out: why it does not count, or "".
        task: name of the asyncio task, "" outside of any.
        record: whether it is a record.
        ordinal: of the candidate whose parents are chosen, where it is `START`.
    """

    at_s: float
    name: str
    caller: str
    left_out: str
    task: str
    record: bool = False
    ordinal: int | None = None


class Trace:
    """Records entries in this thread and in those started meanwhile, as a context manager."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._first: dict[CodeType, int] = {}
        """Code -> instruction at which it is entered; a coroutine that goes on is at another one."""

    def __enter__(self) -> Self:
        """Start recording."""
        self._before = sys.getprofile()
        self._others = threading.getprofile()
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop recording."""
        sys.setprofile(self._before)
        threading.setprofile(self._others)

    def _see(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            made = _instantiated(frame)
            if made is not None:
                self._add(frame, made)
            elif _is_ours(frame) and self._first.setdefault(frame.f_code, frame.f_lasti) == frame.f_lasti:
                self._add(frame)
        elif event == "return" and _is_ours(frame) and _is_plug_in(frame) and _is_record(type(argument)):
            # What it builds for itself is its own matter; what it returns is not.
            self._add(frame, type(argument))

    def _add(self, frame: FrameType, record: type | None = None) -> None:
        """Record the entry of a function from another module, or an instance of a record."""
        above = list(_ours_above(frame))
        if record is None and above and _module(above[0]) == _module(frame):
            return
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        rule = "" if record else _left_out(frame)
        self.entries.append(
            Entry(
                at_s=time.monotonic(),
                name=f"{record.__module__}.{record.__qualname__}" if record else _name(frame),
                caller=_name(above[0]) if above else "",
                left_out="below a plug-in" if any(map(_is_plug_in, above)) else rule,
                task=task.get_name() if task else "",
                record=record is not None,
                ordinal=frame.f_locals["ordinal"] if frame.f_code is START.__code__ else None,
            )
        )


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _name(frame: FrameType) -> str:
    return f"{_module(frame)}.{frame.f_code.co_qualname}"


def _is_ours(frame: FrameType) -> bool:
    # Methods that dataclasses generate have no file.
    return _module(frame).partition(".")[0] in OURS and not frame.f_code.co_filename.startswith("<")


def _is_plug_in(frame: FrameType) -> bool:
    return PLUG_INS.fullmatch(f"{_module(frame)}:{frame.f_code.co_qualname}") is not None


def _ours_above(frame: FrameType) -> Iterator[FrameType]:
    """Yield the callers of ours up to the benchmark itself, nearest first."""
    above = frame.f_back
    while above is not None and above.f_code is not measure.__code__:
        if _is_ours(above):
            yield above
        above = above.f_back


def _left_out(frame: FrameType) -> str:
    """Return why the entry of a function does not count by what it is, or ""."""
    code, called_from = frame.f_code, _module(frame.f_back).partition(".")[0] if frame.f_back else ""
    attribute = inspect.getattr_static(type(frame.f_locals.get("self")), code.co_name, None)
    if code.co_name.startswith("<") or code.co_name == "__post_init__":
        return "lambdas and checks of records"
    if isinstance(attribute, property | cached_property):
        return "properties"
    if called_from not in OURS | sys.stdlib_module_names | {__name__.partition(".")[0]}:
        return "called back by libraries"
    return ""


def _is_record(kind: type) -> bool:
    fields = {"__dataclass_fields__", "_fields", "model_fields"}
    return kind.__module__.partition(".")[0] in OURS and any(hasattr(kind, name) for name in fields)


def _instantiated(frame: FrameType) -> type | None:
    """Return the record class of ours that a frame makes an instance of, if it does that."""
    code = frame.f_code
    generated = code.co_filename == "<string>" and code.co_name in {"__init__", "__new__", "<lambda>"}
    helper = _module(frame) in {"pydantic.main", "collections"} and code.co_name in _MAKERS
    if not (generated or helper):
        return None
    given = next(iter(frame.f_locals.values()), None)  # An instance, or the class.
    made = given if isinstance(given, type) else type(given)
    return made if _is_record(made) else None


_MAKERS = {"__init__", "_make", "model_validate", "model_construct", "model_copy"}
"""What makes instances of NamedTuples and pydantic classes beside their generated methods."""


class Hop(NamedTuple):
    """A step of the way: the function entered, and the function of ours that called it."""

    function: str
    caller: str


class Report(NamedTuple):
    """The way of a candidate.

    Attributes:
        ordinal: which candidate was traced.
        hops: in the order in which they were entered first.
        records: types, in the order of their first instances.
        left_out: rule -> functions entered from another module that are no hops by it.
    """

    ordinal: int
    hops: tuple[Hop, ...]
    records: tuple[str, ...]
    left_out: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return the way as plain data, with totals, targets and the definition."""
        return {
            "ordinal": self.ordinal,
            "hops": [hop._asdict() for hop in self.hops],
            "records": list(self.records),
            "left_out": self.left_out,
            "totals": {"hops": len(self.hops), "records": len(self.records)},
            "targets": {"hops": HOPS, "records": RECORDS},
            "definition": inspect.getdoc(sys.modules[__name__]),
        }

    def show(self) -> None:
        """Print the way for a person."""
        out = console()
        lines = [f"{inspect.getdoc(sys.modules[__name__])}", "", f"Hops of candidate {self.ordinal}:"]
        lines += [
            f"{number:4} {caller} -> {name}" for number, (name, caller) in enumerate(self.hops, start=1)
        ]
        lines += ["", "Record types:"]
        lines += [f"{number:4} {name}" for number, name in enumerate(self.records, start=1)]
        out.print("\n".join(lines), markup=False, soft_wrap=True)
        rules = ", ".join(f"{rule} {count}" for rule, count in self.left_out.items())
        out.print(f"\nEntered from another module and no hop: {rules}.", soft_wrap=True)
        out.print(f"hops         {len(self.hops):3} (target: at most {HOPS})")
        out.print(f"record types {len(self.records):3} (target: at most {RECORDS})")


def measure() -> Report:
    """Run the campaign in a temporary database and trace the best of its candidates that another one followed.

    Raises:
        RuntimeError: no candidate was seen from `START` to `END`.
    """
    config = parse_config(CAMPAIGN)
    with tempfile.TemporaryDirectory(prefix="evolve-bench-") as directory:
        db, notes = str(Path(directory) / "path.db"), Path(directory) / "worker.jsonl"
        with Trace() as campaign:
            run(config, db=db, observer=lambda event: None, work=partial(traced, notes=str(notes)))
        lines = notes.read_text(encoding="utf-8").splitlines()
        name = config.campaign_name
        with open_store(db, create=False, read_only=True) as store, Trace() as ending:
            rows = END(store, name)
    entries = [*campaign.entries, *(Entry(*json.loads(line)) for line in lines)]
    entries.sort(key=lambda entry: entry.at_s)
    starts = {
        entry.ordinal: place for place, entry in reversed([*enumerate(entries)]) if entry.ordinal is not None
    }
    # An ordinary one: the best is announced as well, and the earliest prepares statements for all.
    for row in sorted(rows[1:], key=lambda row: -row.ordinal):
        if row.ordinal in starts and row.ordinal + 1 in starts:
            way = _between(entries, starts[row.ordinal], starts[row.ordinal + 1])
            return _report(row.ordinal, [*way, *ending.entries])
    raise RuntimeError(
        f"path: expected a candidate that is traced from {START.__qualname__} to {END.__qualname__}; "
        f"got starts of {sorted(starts)} and rows of {[row.ordinal for row in rows]}. Adapt START and END."
    )


def traced(*job: Any, notes: str) -> Evaluation:
    """Evaluate in a worker, and append the entries there to a file."""
    with Trace() as trace:
        evaluation = run_job(*job)
    with Path(notes).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in trace.entries)
    return evaluation


def _between(entries: Sequence[Entry], start: int, stop: int) -> list[Entry]:
    """Return the entries of one candidate, without those that prepare the next one in a task of its own."""
    own, following = entries[start].task, entries[stop].task
    return [entry for entry in entries[start:stop] if following in {own, ""} or entry.task != following]


def _report(ordinal: int, entries: Sequence[Entry]) -> Report:
    counted = [entry for entry in entries if not entry.left_out]
    callers = {entry.name: entry.caller for entry in reversed(counted) if not entry.record}
    hops = dict.fromkeys(entry.name for entry in counted if not entry.record)
    left_out = {entry.name: entry.left_out for entry in entries if entry.left_out and not entry.record}
    return Report(
        ordinal=ordinal,
        hops=tuple(Hop(name, callers[name]) for name in hops),
        records=tuple(dict.fromkeys(entry.name for entry in counted if entry.record)),
        left_out=dict(Counter(rule for name, rule in left_out.items() if name not in hops)),
    )
