"""What a search has seen, cut down to what the next step can use: ideas with what they brought, failures, curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evaluators.records import Candidate, Outcome
from evolve.prompting.changes import ancestors, what_changed
from evolve.search.log import FAILURES, LogView

_CHILDREN, _FAILURES, _GAINS, _LOSSES = 8, 3, 5, 3
_LATELY = 60
"""How far back failures and ideas are looked for."""
_CURVE_POINTS = 6


class Step(NamedTuple):
    """A change of a program, and what came of it: a difference of scores, or the outcome of a failure."""

    result: str
    change: str


def outcomes(log: LogView) -> str:
    """How many candidates ended with each outcome."""
    counts = Counter(log.outcomes)
    return ", ".join(f"{count} {tag}" for tag, count in counts.most_common())


def children(parent: Candidate, log: LogView) -> list[Step]:
    """What was tried on the parent itself lately, oldest first."""
    before = parent.mean(log.objective)
    return [
        Step(
            f"{t.mean(log.objective) - before:+.3f}" if t.ok else _outcome(t).tag.value,
            t.note or what_changed(parent.source, t.source),
        )
        for t in log.children(str(parent.program_id), _CHILDREN)
    ]


def ideas(parent: Candidate, log: LogView) -> list[Step]:
    """What brought most and what cost most elsewhere in the search, among its last steps; the best first.

    Neither the parent's children nor its ancestors, which are shown by themselves.
    """
    own = {"", *(t.note for t in ancestors(str(parent.program_id), log.scored))}
    gains = {
        t.note: (gain, t.mean(log.objective))
        for t, gain in log.gains(_LATELY)
        if t.parents[0] != parent.program_id and t.note not in own
    }
    ranked = sorted(gains.items(), key=lambda idea: -idea[1][0])
    best = [one for one in ranked if one[1][0] > 0.0][:_GAINS]
    worst = [one for one in ranked if one[1][0] < 0.0][-_LOSSES:]
    return [Step(f"{gain:+.3f}, to {score:.3f}", note) for note, (gain, score) in best + worst]


def way(parent: Candidate, log: LogView) -> list[Step]:
    """How the parent came about, itself the last; [] for a program that nothing was changed in."""
    steps = ancestors(str(parent.program_id), log.scored)[::-1]
    found = [Step(f"{t.mean(log.objective):.3f}", t.note or "where the search began") for t in steps]
    return found if len(found) > 1 else []


def failures(parent: Candidate, log: LogView) -> list[Step]:
    """The last failures of the parent's children, filled up with those of others; each message once."""
    last = log.failed(_LATELY)
    own = [t for t in log.children(str(parent.program_id), _LATELY) if _outcome(t).tag in FAILURES]
    found: dict[str, Step] = {}
    for t in [*reversed(own), *reversed(last)]:
        if len(found) == _FAILURES:
            break
        if _outcome(t).message not in found:
            idea = f" ({t.note})" if t.note else ""
            found[_outcome(t).message] = Step(_outcome(t).tag.value, f"{_outcome(t).message}{idea}")
    return list(found.values())


def thinned(curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> list[dict[str, Any]]:
    """Curves at a few of their checkpoints, the last one included; one set of iterations for all.

    Args:
        curves: program -> family -> (budget, value) pairs; of families that the first program lacks, none.
    """
    first = next(iter(curves.values()), {})
    rows = [(family, name, own[family]) for family in first for name, own in curves.items() if family in own]
    if not rows:
        return []
    common = sorted(set.intersection(*({k for k, _ in points} for *_, points in rows)))
    chosen = common[-1 :: -max(1, -(-len(common) // _CURVE_POINTS))][::-1]
    return [
        {"task": family, "program": name, "points": [(k, v) for k, v in points if k in chosen]}
        for family, name, points in rows
    ]


def _outcome(candidate: Candidate) -> Outcome:
    assert candidate.outcome is not None
    return candidate.outcome
