"""How a search went: its best so far, islands, ancestry, other searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from evaluators.records import Score
from results.plots import theme
from results.progress import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Against = Literal["candidates", "cpu", "cost"]
_AXES = {"candidates": "candidate", "cpu": "CPU seconds of evaluations", "cost": "dollars paid for models"}
_SIZE = (4.0, 2.9)
_WIDE = (9.2, 3.6)
_DOT = 14
_DOTS = 1500
"""Candidates that are drawn one by one at most, beside those that improved."""
_MANY_LABELS = 12


def best_so_far(
    trials: Sequence[Trial],
    *,
    objective: str,
    against: Against = "candidates",
    references: Mapping[str, float] | None = None,
    known: Sequence[tuple[int, Score]] = (),
) -> Figure:
    """Draw every score as a dot, coloured by operator, and the best as a line with its standard error.

    Args:
        trials: the campaign's, by ordinal.
        objective: names the vertical axis; larger is better.
        against: what the horizontal axis counts.
        references: name -> score of programs to compare with, drawn as level lines.
        known: candidates told, and the score of what the search held for the best from then on; without it the line
            is the highest score so far.
    """
    with theme.drawing():
        figure, axis = theme.blank(*_SIZE)
        scored = [t for t in trials if t.value is not None]
        few = _few(scored)
        for operator, colour in theme.colours([t.operator for t in trials if t.ordinal > 0]).items():
            own = [t for t in few if t.operator == operator]
            axis.scatter(
                [_at(t, against) for t in own], [t.value or 0.0 for t in own],
                s=_DOT, color=colour, alpha=0.8, linewidths=0, label=theme.label(operator),
            )  # fmt: skip
        line = {"color": theme.STRONG, "linewidth": 2.0}
        if known:
            _draw_known(axis, trials, against, known, line | {"label": "best, as known then"})
        else:
            _draw_best(axis, trials, against, line | {"label": "best so far"})
        _levels(axis, references or {})
        theme.dress(axis, x=_AXES[against], y=f"{objective} (larger is better)")
        _show_the_top(axis, scored, references or {})
        theme.legend(figure)
        return figure


def campaigns(trials: Mapping[str, Sequence[Trial]], *, objective: str) -> Figure:
    """Draw the best so far of several searches, against candidates and against the CPU time of their evaluations.

    Args:
        trials: campaign -> its trials, by ordinal.
        objective: names the vertical axis; larger is better.
    """
    with theme.drawing():
        figure, axes = theme.blank(*_WIDE, 1, 2, sharey=True)
        styles = theme.styles(trials)
        against: tuple[Against, Against] = ("candidates", "cpu")
        for axis, which in zip(axes, against, strict=True):
            for name, own in trials.items():
                line = styles[name].line() | {"linewidth": 1.8, "label": theme.label(name)}
                _draw_best(axis, own, which, line)
            theme.dress(axis, x=_AXES[which])
        axes[0].set_ylabel(theme.label(f"{objective}, best so far"))
        theme.legend(figure, columns=3, where="outside lower center")
        return figure


def islands(series: Mapping[int, Sequence[tuple[int, float]]], *, objective: str) -> Figure:
    """Draw each island's best so far, against candidates."""
    with theme.drawing():
        figure, axis = theme.blank(*_SIZE)
        styles = theme.styles([str(island) for island in series])
        last = max((line[-1][0] for line in series.values() if line), default=0)
        for island, line in series.items():
            points = [*line, (last, line[-1][1])]
            axis.step(
                [ordinal for ordinal, _ in points], [value for _, value in points],
                where="post", label=f"island {island}", **(styles[str(island)].line() | {"linewidth": 1.8}),
            )  # fmt: skip
        theme.dress(axis, x="candidate", y=f"{objective}, best of the island")
        theme.legend(figure)
        return figure


def ancestry(trials: Sequence[Trial], way: Sequence[int], *, objective: str) -> Figure:
    """Draw scored candidates where they were tried and how they scored, each joined to its first parent.

    Args:
        trials: the campaign's, by ordinal.
        way: ordinals of the lineage from the first program to the best, which stands out, with its numbers.
        objective: names the vertical axis; larger is better.
    """
    from matplotlib.collections import LineCollection

    with theme.drawing():
        figure, axis = theme.blank(2 * _SIZE[0], 3.6)
        scored = [t for t in trials if t.value is not None]
        at = {t.ordinal: (t.ordinal, t.value or 0.0) for t in scored}
        few = _few(scored)
        edges = [(at[t.parent], at[t.ordinal]) for t in few if t.parent in at]
        axis.add_collection(LineCollection(edges, colors=theme.INK, linewidths=0.6, alpha=0.25))
        axis.scatter(
            [t.ordinal for t in few], [t.value or 0.0 for t in few],
            s=_DOT, color=theme.INK, alpha=0.6, linewidths=0,
        )  # fmt: skip
        _draw_lineage(axis, [at[ordinal] for ordinal in way if ordinal in at])
        theme.dress(axis, x="candidate", y=f"{objective} (larger is better)")
        _show_the_top(axis, scored, {})
        return figure


def _few(scored: Sequence[Trial]) -> Sequence[Trial]:
    """Return those that improved, and evenly chosen others: a dot is an element of the file."""
    step = -(-len(scored) // _DOTS)
    return [t for place, t in enumerate(scored) if place % step == 0 or t.gain > 0]


def _draw_best(axis: Axes, trials: Sequence[Trial], against: Against, line: dict[str, Any]) -> None:
    """Draw the best so far, at the first that has a best, those that raised it, and the last."""
    known = [t for t in trials if t.best is not None]
    steps = [t for t in known if t.gain > 0 or t is known[0] or t is known[-1]]
    _draw_steps(axis, [(_at(t, against), Score(t.best or 0.0, t.best_stderr)) for t in steps], line)


def _draw_known(
    axis: Axes,
    trials: Sequence[Trial],
    against: Against,
    known: Sequence[tuple[int, Score]],
    line: dict[str, Any],
) -> None:
    """Draw what the search held for the best, from the last candidate that was told by then, to the end."""
    at = [(_at(trials[min(told, len(trials)) - 1], against), score) for told, score in known if told]
    _draw_steps(axis, [*at, (_at(trials[-1], against), known[-1][1])], line)


def _draw_steps(axis: Axes, steps: Sequence[tuple[float, Score]], line: dict[str, Any]) -> None:
    at, best = [place for place, _ in steps], [score.mean for _, score in steps]
    axis.step(at, best, where="post", **line)
    if any(score.stderr for _, score in steps):
        low, high = ([score.mean + sign * score.stderr for _, score in steps] for sign in (-1, 1))
        axis.fill_between(at, low, high, step="post", color=line["color"], alpha=0.2, linewidth=0)


def _draw_lineage(axis: Axes, points: Sequence[tuple[int, float]]) -> None:
    if not points:
        return
    axis.plot(*zip(*points, strict=True), "-o", color=theme.STRONG, linewidth=2.0, markersize=5, zorder=3)
    for x, y in points if len(points) <= _MANY_LABELS else (points[0], points[-1]):
        axis.annotate(
            f"{x}", (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize="small", zorder=4
        )


def _levels(axis: Axes, references: Mapping[str, float]) -> None:
    for name, value in references.items():
        axis.axhline(value, color=theme.INK, linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
        axis.annotate(
            theme.label(name), (0, value), xycoords=("axes fraction", "data"), xytext=(3, 2),
            textcoords="offset points", ha="left", va="bottom", fontsize="small",
        )  # fmt: skip


def _show_the_top(axis: Axes, scored: Sequence[Trial], references: Mapping[str, float]) -> None:
    """Let a few very bad programs not press everything that matters against the upper edge.

    The axis begins at the lower decile, where that is not yet below what must be seen; worse ones are cut off.
    """
    values = sorted(t.value for t in scored if t.value is not None)
    if len(values) < 10:
        return
    seen = [values[-1], *references.values(), *(t.best for t in scored if t.best is not None)]
    low, high = min(*seen, values[len(values) // 10]), max(seen)
    room = 0.06 * (high - low) or 0.1
    axis.set_ylim(max(values[0], low) - room, high + 2 * room)


def _at(trial: Trial, against: Against) -> float:
    totals = {"candidates": trial.ordinal, "cpu": trial.total_cpu_s, "cost": trial.total_cost_usd}
    return float(totals[against])
