"""What the looks at sealed games say, read from the records of the looks alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from results.loading import load_programs
from results.plots import Advantage
from results.programs import SHOWN_ID
from results.progress import Trial
from results.records import HeldOutEvaluation, StoredEvaluation
from results.report.model import DISCOVERED, Look, Pair, Row, Sealed
from results.report.tables import LEAST, winners
from results.schema import Program
from results.store import Store

TIE = math.log10(1.01)
"""Differences up to this, about one percent of exploitability, are ties in pairs."""

Runs = Mapping[tuple[str, int], float | None]
"""(game, iterations) -> exploitability, None where the program failed."""


def sealed(
    store: Store,
    looks: Sequence[HeldOutEvaluation],
    trials: Sequence[Trial],
    shown: Mapping[str, StoredEvaluation],
    best: int | None,
) -> Sealed | None:
    """The sealed games of a campaign; None when there was no look at any.

    Args:
        store: where names of programs are.
        looks: all of the campaign's.
        trials: its candidates.
        shown: label -> evaluation on the games of the search, of the programs in the tables.
        best: ordinal of the best candidate.
    """
    if not looks:
        return None
    labels = _labels(store, looks, trials, best)
    runs: dict[str, dict[tuple[str, int], float | None]] = {}
    for look in looks:
        runs.setdefault(labels[look.program_id], {})[look.game, look.iterations] = look.exploitability
    order = [label for label in labels.values() if label in runs]
    finalists = [label for label in order if label == DISCOVERED or label.startswith("#")]
    baselines = [label for label in order if label not in finalists]
    leader = finalists[0] if finalists else ""
    return Sealed(
        labels=tuple(order),
        rows=tuple(_rows(runs, order)),
        pairs=tuple(p for f in finalists for b in baselines for p in _pair(f, b, runs)),
        advantages=tuple(_advantages(leader, baselines, runs, shown)) if leader else (),
        leader=leader,
        looks=tuple(
            Look(k.looked_at, labels[k.program_id], k.game, k.iterations, k.exploitability, k.purpose)
            for k in looks
        ),
    )


def ahead(mine: float, theirs: float) -> float:
    """By how many orders of magnitude the first exploitability is smaller."""
    return math.log10(max(theirs, LEAST) / max(mine, LEAST))


def _labels(
    store: Store, looks: Iterable[HeldOutEvaluation], trials: Iterable[Trial], best: int | None
) -> dict[str, str]:
    """Program -> label: candidates by their numbers, the best first; then others by name."""
    ids = {look.program_id for look in looks}
    with store.reading() as connection:
        names = {key: one.name for key, one in load_programs(connection, Program.id.in_(ids)).items()}
    found: dict[str, str] = {}
    ranked = sorted(
        trials, key=lambda t: (t.ordinal != best, -(t.value if t.value is not None else -math.inf))
    )
    for trial in ranked:
        # A named program is known by its name, also where a search started from it.
        if trial.program_id in ids and not names.get(trial.program_id):
            found.setdefault(trial.program_id, DISCOVERED if trial.ordinal == best else f"#{trial.ordinal}")
    for look in looks:
        found.setdefault(look.program_id, names.get(look.program_id) or look.program_id[:SHOWN_ID])
    return found


def _rows(runs: Mapping[str, Runs], order: Sequence[str]) -> list[Row]:
    rows = []
    for game, iterations in dict.fromkeys(key for label in order for key in runs[label]):
        found = {label: runs[label].get((game, iterations)) for label in order}
        values = {label: value for label, value in found.items() if value is not None}
        name, _, variant = game.partition("/")
        rows.append(
            Row(game=name, variant=variant.partition("-")[0], copies=1, iterations=iterations, uniform=None,
                values=values, winners=winners(values))
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row.iterations, row.variant != ""))


def _pair(finalist: str, baseline: str, runs: Mapping[str, Runs]) -> list[Pair]:
    """The pair, or nothing where the two have no run in common."""
    differences = _differences(runs[finalist], runs[baseline])
    if not differences:
        return []
    return [
        Pair(
            finalist=finalist,
            baseline=baseline,
            mean=fmean(differences),
            wins=sum(d > TIE for d in differences),
            ties=sum(abs(d) <= TIE for d in differences),
            losses=sum(d < -TIE for d in differences),
        )
    ]


def _differences(mine: Runs, theirs: Runs) -> list[float]:
    both = [(mine[key], theirs[key]) for key in mine if key in theirs]
    return [ahead(a, b) for a, b in both if a is not None and b is not None]


def _advantages(
    leader: str, baselines: Iterable[str], runs: Mapping[str, Runs], shown: Mapping[str, StoredEvaluation]
) -> list[Advantage]:
    found = []
    for baseline in baselines:
        seen = _differences(_training(shown.get(leader)), _training(shown.get(baseline)))
        unseen = _differences(runs[leader], runs[baseline])
        found.append(Advantage(baseline, fmean(seen) if seen else None, fmean(unseen) if unseen else None))
    return found


def _training(evaluation: StoredEvaluation | None) -> Runs:
    """Instance -> final exploitability on the games of the search."""
    curves = evaluation.curves if evaluation is not None else ()
    return {(curve.instance, curve.iterations): curve.points[-1][1] for curve in curves if curve.points}
