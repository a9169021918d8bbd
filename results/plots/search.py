"""How a search went: its best so far, where improvements came from, islands, ancestry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from results.plots import theme
from results.progress import Share, Trial, way_to_best

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Against = Literal["candidates", "cpu", "cost"]
_AXES = {"candidates": "candidate", "cpu": "CPU seconds of evaluations", "cost": "dollars paid for models"}
_SIZE = (4.0, 2.9)
_DOT = 14
_DOTS = 1500
"""Candidates that are drawn one by one at most, beside those that improved."""
_MANY_LABELS = 12
_BAR = 0.42


def best_so_far(
    trials: Sequence[Trial],
    *,
    objective: str,
    against: Against = "candidates",
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Every score as a dot, coloured by operator, and the best so far as a line.

    Args:
        trials: the campaign's, by ordinal.
        objective: names the vertical axis; larger is better.
        against: what the horizontal axis counts.
        references: name -> score of programs to compare with, drawn as level lines.
    """
    with theme.drawing():
        figure = theme.blank(*_SIZE)
        axis = figure.subplots()
        scored = _few([t for t in trials if t.value is not None])
        colours = theme.colours([t.operator for t in trials if t.ordinal > 0])
        for operator, colour in colours.items():
            own = [t for t in scored if t.operator == operator]
            axis.scatter(
                [_at(t, against) for t in own], [t.value or 0.0 for t in own],
                s=_DOT, color=colour, alpha=0.8, linewidths=0, label=theme.label(operator),
            )  # fmt: skip
        told = _steps(trials)
        axis.step(
            [_at(t, against) for t in told], [t.best or 0.0 for t in told],
            where="post", color=theme.strong(), linewidth=2.0, label="best so far",
        )  # fmt: skip
        _levels(axis, references or {})
        axis.set_xlabel(_AXES[against])
        axis.set_ylabel(theme.label(f"{objective} (larger is better)"))
        theme.dress(axis)
        _see_the_top(axis, scored, references or {})
        if scored:
            figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize="small")
        return figure


def shares(found: Sequence[Share], *, colours: Mapping[str, str] | None = None) -> Figure:
    """Three bars, of proposals, valid programs and improvements, divided among operators (or models).

    Args:
        found: the shares.
        colours: name -> colour; by their order unless given.
    """
    with theme.drawing():
        palette = colours or theme.colours([share.name for share in found])
        figure = theme.blank(_SIZE[0], 2.1)
        axis = figure.subplots()
        rows = ("proposed", "valid", "improvements")
        for place, row in enumerate(rows):
            total, left = sum(getattr(share, row) for share in found), 0.0
            for share in found:
                count = getattr(share, row)
                part = count / total if total else 0.0
                axis.barh(
                    place,
                    part,
                    left=left,
                    height=0.62,
                    color=palette[share.name],
                    label=theme.label(share.name),
                )
                if part >= 0.08:
                    axis.text(
                        left + part / 2,
                        place,
                        f"{count}",
                        ha="center",
                        va="center",
                        color="white",
                        fontsize="small",
                    )
                left += part
        axis.set_yticks(range(len(rows)), rows)
        axis.invert_yaxis()
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        handles, names = axis.get_legend_handles_labels()
        known = dict(zip(names, handles, strict=True))
        if known:
            figure.legend(
                list(known.values()), list(known), loc="outside upper center", frameon=False, fontsize="small",
                ncols=min(3, len(known)),
            )  # fmt: skip
        return figure


def outcomes(counts: Mapping[str, int]) -> Figure:
    """A bar per outcome, as long as candidates ended so, with the count."""
    with theme.drawing():
        figure = theme.blank(_SIZE[0], 0.7 + 0.32 * max(1, len(counts)))
        axis = figure.subplots()
        names, total = list(counts), sum(counts.values())
        colours = [theme.colours(["ok"])["ok"] if name == "ok" else theme.INK for name in names]
        axis.barh(range(len(names)), list(counts.values()), color=colours, height=0.62)
        for place, count in enumerate(counts.values()):
            axis.annotate(
                f"{count} ({count / total:.0%})", (count, place), xytext=(4, 0), textcoords="offset points",
                va="center", fontsize="small",
            )  # fmt: skip
        axis.set_yticks(range(len(names)), [theme.label(name) for name in names])
        axis.invert_yaxis()
        axis.margins(x=0.2)
        axis.set_xlabel("candidates")
        theme.dress(axis, grid="x")
        return figure


def islands(series: Mapping[int, Sequence[tuple[int, float]]], *, objective: str) -> Figure:
    """Each island's best so far, against candidates."""
    with theme.drawing():
        figure = theme.blank(*_SIZE)
        axis = figure.subplots()
        looks = theme.looks([str(island) for island in series])
        last = max((line[-1][0] for line in series.values() if line), default=0)
        for island, line in series.items():
            points = [*line, (last, line[-1][1])]
            axis.step(
                [ordinal for ordinal, _ in points], [value for _, value in points],
                where="post", label=f"island {island}", **(looks[str(island)].line() | {"linewidth": 1.8}),
            )  # fmt: skip
        axis.set_xlabel("candidate")
        axis.set_ylabel(theme.label(f"{objective}, best of the island"))
        theme.dress(axis)
        if series:
            axis.legend(loc="lower right", frameon=False, fontsize="small")
        return figure


def ancestry(trials: Sequence[Trial], *, objective: str) -> Figure:
    """Scored candidates where they were tried and how they scored, each joined to its first parent.

    The way from the first program to the best is drawn out, with the candidates' numbers.
    """
    from matplotlib.collections import LineCollection

    with theme.drawing():
        figure = theme.blank(2 * _SIZE[0], 3.6)
        axis = figure.subplots()
        scored = {t.ordinal: (t.ordinal, t.value) for t in trials if t.value is not None}
        few = _few([t for t in trials if t.value is not None])
        edges = [(scored[t.parent], scored[t.ordinal]) for t in few if t.parent in scored]
        axis.add_collection(LineCollection(edges, colors=theme.INK, linewidths=0.6, alpha=0.25))
        axis.scatter(
            [t.ordinal for t in few], [t.value or 0.0 for t in few],
            s=_DOT, color=theme.INK, alpha=0.6, linewidths=0,
        )  # fmt: skip
        _draw_way(axis, [scored[ordinal] for ordinal in way_to_best(trials) if ordinal in scored])
        axis.set_xlabel("candidate")
        axis.set_ylabel(theme.label(f"{objective} (larger is better)"))
        theme.dress(axis)
        _see_the_top(axis, [t for t in trials if t.value is not None], {})
        return figure


def _few(scored: Sequence[Trial]) -> Sequence[Trial]:
    """Those that improved, and evenly chosen others: a dot is an element of the file."""
    step = -(-len(scored) // _DOTS)
    return [t for place, t in enumerate(scored) if place % step == 0 or t.gain > 0]


def _steps(trials: Sequence[Trial]) -> Sequence[Trial]:
    """The first that has a best, those that raised it, and the last."""
    known = [t for t in trials if t.best is not None]
    return [t for t in known if t.gain > 0 or t is known[0] or t is known[-1]]


def _draw_way(axis: Axes, way: Sequence[tuple[int, float | None]]) -> None:
    if not way:
        return
    xs, ys = [x for x, _ in way], [y or 0.0 for _, y in way]
    axis.plot(xs, ys, "-o", color=theme.strong(), linewidth=2.0, markersize=5, zorder=3)
    shown = zip(xs, ys, strict=True) if len(way) <= _MANY_LABELS else [(xs[0], ys[0]), (xs[-1], ys[-1])]
    for x, y in shown:
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


def _see_the_top(axis: Axes, scored: Sequence[Trial], references: Mapping[str, float]) -> None:
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
    if against == "cpu":
        return trial.total_cpu_s
    return trial.total_cost_usd if against == "cost" else float(trial.ordinal)
