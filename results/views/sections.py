"""The sections of a campaign's pages, as report and dashboard show them: which tables, figures and words each has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from evaluators.records import Metric, Tag, TaskResult
from results import progress
from results.comparison import Comparison
from results.programs import SHOWN_ID
from results.text import (
    MARKS,
    NONE,
    PLANNED,
    RECONSTRUCTED,
    arrow,
    count,
    duration,
    estimate,
    measured,
    moment,
    one_line,
    percent,
    plural,
    score,
    signed,
    usd,
)
from results.views import words
from results.views.campaign import CampaignView, changes
from results.views.document import Block, Cell, Code, Figure, Rows, Section, Steps, Table, num, share
from results.views.held_out import VERDICT, HeldOut
from results.views.programs import Column, Entry
from results.views.structure import split

EVENTS_SHOWN = 20
IMPROVEMENTS_SHOWN = 8
HELD_OUT_SHOWN = 200


def campaign_path(name: str, part: str = "") -> str:
    """Return the path of a campaign's page, or of one below it."""
    return f"/campaigns/{quote(name, safe='')}" + (f"/{part}" if part else "")


def candidate_path(name: str, ordinal: int) -> str:
    """Return the path of a candidate's page."""
    return campaign_path(name, f"candidates/{ordinal}")


def program_path(key: str, part: str = "") -> str:
    """Return the path of a program's page, or of one below it."""
    return f"/programs/{quote(key, safe='')}" + (f"/{part}" if part else "")


def sections(view: CampaignView, figures: Mapping[str, Figure], names: Sequence[str]) -> list[Section]:
    """Return the sections with these names that have something to show, in this order."""
    made = (SECTIONS[name](view, figures) for name in names)
    return [Section(name, title, blocks) for name, (title, blocks) in zip(names, made, strict=True) if blocks]


def program_table(
    metric: Metric,
    objective: str,
    entries: Sequence[Entry],
    columns: Sequence[Column],
    roles: Mapping[str, str],
) -> Table:
    """Return programs with their scores and what they reached on tasks, the best of each column starred.

    Args:
        metric: of the values.
        objective: name of the score.
        entries: the programs.
        columns: the tasks.
        roles: program id -> what it is, of programs that stand out.
    """
    rows: Rows = [
        [
            Cell(one.label, program_path(one.program_id), "ours" if one.program_id in roles else ""),
            roles.get(one.program_id) or ("baseline" if one.baseline else "candidate"),
            num(score(one.score.mean, one.score.stderr))
            if one.score
            else Cell(one.evaluation.outcome.tag.value),
            *(_value(metric, column, one.program_id) for column in columns),
            num(f"{cost.cpu_s:.2f} ({percent(cost.candidate_cpu_s, cost.cpu_s)})"),
        ]
        for one in entries
        for cost in [one.evaluation.cost]
    ]
    if any(column.uniform is not None for column in columns):
        trivial = [num(measured(metric, column.uniform)) for column in columns]
        rows.append(["a trivial program", "", num(NONE), *trivial, num("")])
    budgets = {column.budget for column in columns}
    after = f" after {count(min(budgets), metric.budget)}" if len(budgets) == 1 else ""
    caption = (
        f"{objective} (larger is better), and {metric.label}{after} on each {metric.task} ({words.better(metric)}); "
        "★ best, = tied with the best"
    )
    return Table(
        ["program", "kind", f"{objective} ↑", *_heads(metric, columns), "CPU s (its own)"],
        rows,
        caption if columns else "",
    )


def results_table(metric: Metric, results: Sequence[TaskResult]) -> Table:
    """Return what one evaluation reached on each task, with all further figures."""
    columns: dict[str, Callable[[TaskResult], Cell | str]] = {
        metric.task: lambda r: r.task.name,
        plural(metric.budget): lambda r: num(f"{r.task.budget:,}"),
        metric.label: lambda r: num(measured(metric, r.value, r.stderr)),
        "reference": lambda r: num(measured(metric, r.reference[-1][1] if r.reference else None)),
        "trivial program": lambda r: num(measured(metric, r.uniform)),
    }
    for name in dict.fromkeys(name for result in results for name in result.extra):
        columns[name] = lambda r, name=name: num(f"{r.extra[name]:.4g}" if name in r.extra else NONE)  # type: ignore[misc]
    return Table.of(results, columns | {"CPU": lambda r: num(duration(r.cost.cpu_s))})


def _value(metric: Metric, column: Column, program_id: str) -> Cell:
    value = column.values.get(program_id)
    if value is None:
        return num(NONE)
    best, standing = column.best(program_id), column.standing
    mark = ("★ " if standing is not None and standing.winner == program_id else "= ") if best else ""
    return num(mark + measured(metric, value.value, value.stderr), "won" if best else "")


def _heads(metric: Metric, columns: Sequence[Column]) -> list[Cell | str]:
    several = len({column.budget for column in columns}) > 1
    after = (f", {count(column.budget, metric.budget)}" if several else "" for column in columns)
    return [f"{column.name}{k} {arrow(metric)}" for column, k in zip(columns, after, strict=True)]


Blocks = tuple[str, list[Block]]


def _drawn(figures: Mapping[str, Figure], *names: str) -> list[Block]:
    return [figures[name] for name in names if name in figures]


def _legend(names: Iterable[str]) -> str:
    """Return what marks of programs mean, "" where none has one."""
    return f" {MARKS}." if {PLANNED, RECONSTRUCTED} & set("".join(names)) else ""


def _programs(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    record = view.campaign
    roles = {view.best.program_id: "best candidate"} if view.best else {}
    table = program_table(record.metric, record.objective, view.entries, view.columns, roles)
    legend = _legend(one.label for one in view.entries).strip()
    return "Best programs beside the baselines", [
        table,
        *([legend] if legend else []),
    ] if view.entries else []


def _curves(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    metric = view.campaign.metric
    return f"{metric.label[:1].upper()}{metric.label[1:]} by {metric.task}", _drawn(
        figures, "curves", "curves-by-cpu"
    )


def _progress(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    if not view.lineage:
        return "Progress of the search", ["Nothing has been scored yet."]
    last = Table.of(
        view.improvements[: -IMPROVEMENTS_SHOWN - 1 : -1],
        {
            "candidate": lambda t: num(t.ordinal, href=candidate_path(view.campaign.name, t.ordinal)),
            f"{view.campaign.objective} ↑": lambda t: num(score(t.value, t.stderr)),
            "gain": lambda t: num(signed(t.gain), "up"),
            "by": lambda t: t.model or t.operator,
        },
        "Last improvements",
    )
    known = Table.of(
        view.known_best[: -IMPROVEMENTS_SHOWN - 1 : -1],
        {
            "best from then on": lambda k: num(k.ordinal, href=candidate_path(view.campaign.name, k.ordinal)),
            "candidates told": lambda k: num(k.told),
            f"{view.campaign.objective} ↑": lambda k: num(score(k.score.mean, k.score.stderr)),
        },
        "What the search held for the best, with the score that was known then",
    )
    note = "A dot is a candidate; the worst tenth may lie below the figure."
    level = " The dashed line is the best baseline." if view.baseline else ""
    drawn = _drawn(figures, "best-by-candidate", "best-by-cpu", "best-by-cost", "islands")
    tables = [table for table in (known, last) if table.rows]
    return "Progress of the search", [note + level, *drawn, *tables]


def _origins(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    blocks: list[Block] = []
    parts = {"operator": progress.operator_shares(view.trials), "model": progress.model_shares(view.trials)}
    for kind, own in parts.items():
        if own:
            blocks.append(_shares(kind, own, paid=view.cost_usd > 0))
    if view.calls:
        blocks.append(_calls(view))
    islands = progress.island_bests(view.trials)
    if len(islands) > 1:
        blocks.append(_islands(view, islands))
    text = "An improvement is a candidate that scored more than all before it."
    return "Where improvements came from", [text, *blocks] if blocks else []


def _shares(kind: str, shares: Sequence[progress.Share], *, paid: bool) -> Table:
    columns: dict[str, Callable[[progress.Share], Cell | str]] = {
        kind: lambda s: s.name,
        "proposed": lambda s: num(s.proposed),
        "valid": lambda s: num(f"{s.valid} ({percent(s.valid, s.proposed)})"),
        "improvements": lambda s: num(s.improvements),
        "gain": lambda s: num(signed(s.gain)),
        "of all gain": lambda s: share(s.gain, sum(one.gain for one in shares)),
        "CPU": lambda s: num(duration(s.cpu_s)),
        "CPU per improvement": lambda s: num(duration(s.cpu_s / s.improvements if s.improvements else None)),
    }
    if paid:
        columns["cost"] = lambda s: num(usd(s.cost_usd))
        columns["cost per improvement"] = lambda s: num(
            usd(s.cost_usd / s.improvements) if s.improvements else NONE
        )
    return Table.of(shares, columns)


def _calls(view: CampaignView) -> Table:
    return Table.of(
        view.calls,
        {
            "model": lambda m: m.model,
            "calls": lambda m: num(m.calls),
            "unanswered": lambda m: num(m.unanswered),
            "better than parent": lambda m: num(m.improved),
            "mean reward": lambda m: num(f"{m.reward:.2f}"),
            "tokens in": lambda m: num(f"{m.input_tokens:,}"),
            "tokens out": lambda m: num(f"{m.output_tokens:,}"),
            "cost": lambda m: num(usd(m.cost_usd)),
        },
        "Calls to models; lost ones count with what they may have cost at most",
    )


def _islands(view: CampaignView, bests: Mapping[int, Sequence[tuple[int, float]]]) -> Table:
    listed = campaign_path(view.campaign.name, "programs")
    return Table.of(
        sorted({trial.island for trial in view.trials}),
        {
            "island": lambda k: num(k, href=f"{listed}?island={k}&sort=-score"),
            "candidates": lambda k: num(sum(trial.island == k for trial in view.trials)),
            "valid": lambda k: num(len(bests.get(k, ()))),
            "best": lambda k: num(score(bests[k][-1][1] if k in bests else None)),
        },
    )


def _structure(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    made = changes(view.lineage)
    if len(made) < 2:
        return "Structure against constants", [
            "The best program is the one that the search started from."
        ] * len(made)
    parts = Table.of(
        split([(change.kind, change.gain) for change in made if change.kind is not None]),
        {
            "what changed": lambda part: words.KINDS[part.kind],
            "steps": lambda part: num(part.steps),
            "gain": lambda part: num(signed(part.gain)),
        },
    )
    text = (
        f"From {score(made[0].step.score)} to {score(made[-1].step.score)} in {count(len(made) - 1, 'step')} of the "
        "best program's lineage. A step counts as constants when the two syntax trees are equal once numbers are "
        "masked and docstrings and names of variables are set aside."
    )
    return "Structure against constants", [text, parts]


def _lineage(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    steps = Steps(view.campaign.name, changes(view.lineage))
    return "Lineage of the best", [*_drawn(figures, "ancestry"), steps] if view.lineage else []


def _source(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    if not view.lineage or view.best is None:
        return "", []
    step, log = view.lineage[-1], view.best.evaluation.log
    text = f"Candidate {step.ordinal}, id {step.program_id[:SHOWN_ID]}, whole."
    blocks: list[Block] = [text, Code(step.source, "Source of the best program", "python")]
    return "The program", [*blocks, *([Code(log, "What it printed", fold="What it printed")] if log else [])]


def _held_out(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    metric, unseen = view.campaign.metric, view.held_out
    tasks = plural(metric.task)
    if unseen is None:
        return f"Held-out {tasks}", [
            f"None so far. `evolve promote {view.campaign.name}` runs the best programs on {tasks} that the search "
            "never saw.",
            *_looks(view),
        ]
    text = (
        f"{count(len(unseen.evaluations), 'held-out evaluation')}: each is a program on a {metric.task} that the "
        "search never saw, and the more there are, the less they prove. Where one was repeated, the last counts."
        + _legend(unseen.names.values())
    )
    values: Rows = [
        [
            Cell(name, program_path(key), "ours" * (key == unseen.leader)),
            *(_value(metric, column, key) for column in unseen.columns),
        ]
        for key, name in unseen.names.items()
    ]
    caption = f"{metric.label} on held-out {tasks} ({words.better(metric)}); ★ best, = tied with the best"
    by_task = Table([metric.task, *_heads(metric, unseen.columns)], values, caption).transposed()
    contests = [table for table in _contests(metric, unseen) if table.rows]
    return f"Held-out {tasks}", [
        text, *_drawn(figures, "advantages"), *contests, by_task, _every_evaluation(metric, unseen), *_looks(view),
    ]  # fmt: skip


def _contests(metric: Metric, unseen: HeldOut) -> list[Table]:
    """Return every finalist against all others, the lead on tasks of the search, and mean scores of a promotion."""
    unit, names, tasks = words.ahead_unit(metric), unseen.names, plural(metric.task)
    return [
        *(_comparisons(metric, unseen, finalist) for finalist in unseen.finalists),
        Table.of(
            unseen.advantages,
            {
                "against": lambda a: a.name,
                "search": lambda a: _lead(a.search),
                "held-out": lambda a: _lead(a.held_out),
            },
            f"How far {names.get(unseen.leader)} is ahead ({unit}, mean ± standard error), on {tasks} of the search, "
            "by which it was chosen, and on held-out ones",
        ),
        _summaries(unseen),
    ]


def _comparisons(metric: Metric, unseen: HeldOut, finalist: str) -> Table:
    """Return one finalist against all others, the strongest first."""
    tasks, name = plural(metric.task), unseen.names[finalist]
    return Table.of(
        unseen.of(finalist),
        {
            f"{name} against": lambda one: Cell(unseen.names[one.other], program_path(one.other)),
            "ahead": _lead,
            "95 % interval": lambda one: num(
                NONE if one.low is None else f"{signed(one.low)} to {signed(one.high)}"
            ),
            "p, adjusted": lambda one: num(NONE if one.p is None else f"{one.p:.2g}"),
            "wins-ties-losses": lambda one: num("-".join(map(str, words.record(one)))),
            "beyond the floor": lambda one: num(one.beyond_floor),
            "not in common": lambda one: num(one.unpaired),
            "verdict": lambda one: Cell(
                one.verdict or "not counted", style=_SIDES.get(one.verdict or "", "")
            ),
        },
        f"{name} is {unseen.summarized(finalist)}. How far ahead on average over families of {tasks} "
        f"({words.ahead_unit(metric)}, mean ± standard error), the strongest first",
    )


_SIDES = {"ahead": "up", "behind": "down"}

_MEANS = {
    "training": "search",
    "sibling": "held-out, families of the search",
    "new": "held-out, other families",
    # of promotions that were stored before scores had standard errors
    "test": "held-out",
    "gap": "gap",
    "drawn": "freshly drawn",
}
"""Name of a mean in a promotion's summary -> heading."""


def _summaries(unseen: HeldOut) -> Table:
    """Return the mean scores that the last promotion stored."""
    names, stored = unseen.names, unseen.summaries
    tiers = dict.fromkeys(tier for one in stored for tier in one["tiers"])
    columns: dict[str, Callable[[Mapping[str, Any]], Cell | str]] = {
        "program": lambda s: names[s["program_id"]]
    }
    for key, heading in _MEANS.items():
        if any(one.get(key) is not None for one in stored):
            columns[heading] = lambda s, key=key: num(_mean(s.get(key)))  # type: ignore[misc]
    for tier in tiers:
        columns[tier] = lambda s, tier=tier: num(score(s["tiers"].get(tier)))  # type: ignore[misc]
    caption = "Mean scores of the last promotion; a tier's column is the largest change against the domain's first tier"
    return Table.of(stored, columns, caption)


def _mean(stored: Mapping[str, float] | float | None) -> str:
    """Return a stored score, of old promotions one without its standard error."""
    return score(stored["mean"], stored["stderr"]) if isinstance(stored, Mapping) else score(stored)


def _lead(one: Comparison | None) -> Cell:
    if one is None:
        return num(NONE)
    return num(estimate(one.mean, one.stderr, sign=True), _SIDES.get(one.verdict or "", ""))


def _every_evaluation(metric: Metric, unseen: HeldOut) -> Table:
    more = f", the last {HELD_OUT_SHOWN}" * (len(unseen.evaluations) > HELD_OUT_SHOWN)
    return Table.of(
        unseen.evaluations[: -HELD_OUT_SHOWN - 1 : -1],
        {
            "when (UTC)": lambda e: Cell(moment(e.evaluated_at), style="time"),
            "program": lambda e: Cell(unseen.names[e.program_id], program_path(e.program_id)),
            metric.task: lambda e: e.task.name,
            plural(metric.budget): lambda e: num(f"{e.task.budget:,}"),
            metric.label: lambda e: num(
                e.outcome.tag.value if e.value is None else measured(metric, e.value, e.stderr)
            ),
            "purpose": lambda e: e.purpose,
        },
        fold=f"Every evaluation{more}",
    )


def _looks(view: CampaignView) -> list[Block]:
    """Return who ran programs on held-out tasks of the domain outside campaigns, the last ones first."""
    if not view.looks:
        return []
    tasks = plural(view.campaign.metric.task)
    text = (
        f"{count(len(view.looks), 'more look')} at held-out {tasks} of the domain {view.campaign.domain}, by commands "
        "outside campaigns: each is a program."
    )
    table = Table.of(
        view.looks[: -HELD_OUT_SHOWN - 1 : -1],
        {
            "when (UTC)": lambda look: Cell(moment(look.looked_at), style="time"),
            "who": lambda look: look.looked_by,
            "program": lambda look: look.program,
            "by": lambda look: f"evolve {look.command}",
            tasks: lambda look: Cell(
                ", ".join(f"{name} ({budget:,})" for name, budget in look.tasks), style="wrap"
            ),
        },
        fold="Looks outside campaigns",
    )
    return [text, table]


def _outcomes(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    listed = campaign_path(view.campaign.name, "programs")
    failures = {one.outcome: one for one in view.failures}

    def message(outcome: str) -> str:
        failure = failures.get(outcome)
        times = f" ({failure.times} times)" if failure and failure.times > 1 else ""
        return one_line(failure.message) + times if failure else ""

    table = Table.of(
        progress.outcome_counts(view.trials).items(),
        {
            "outcome": lambda o: Cell(
                o[0], f"{listed}?outcome={quote(o[0])}", "outcome" + " ok" * (o[0] == Tag.OK)
            ),
            "candidates": lambda o: num(o[1]),
            "of all": lambda o: share(o[1], len(view.trials)),
            "most frequent message": lambda o: Cell(message(o[0]), style="wrap"),
        },
    )
    return "Outcomes of all candidates", [table] if table.rows else []


def _events(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    table = Table.of(
        [one for one in view.events if one.kind != VERDICT][: -EVENTS_SHOWN - 1 : -1],
        {
            "when (UTC)": lambda e: Cell(moment(e.happened_at), style="time"),
            "what": lambda e: e.kind,
            "details": lambda e: Cell(
                one_line(json.dumps(e.payload, ensure_ascii=False), 1000), style="mono wrap"
            ),
        },
    )
    return "Events", [table] if table.rows else []


def _run(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    record = view.campaign
    levels = ", ".join(f"{level} ({count(number, 'evaluation')})" for level, number in view.isolation.items())
    known = {
        "started (UTC)": moment(record.created_at),
        "last stopped (UTC)": moment(record.finished_at) if record.finished_at else "",
        "seed": record.seed,
        "plan": record.plan,
        "isolation": levels,
        **record.versions,
        **record.machine,
        "git commit": record.git_commit or "",
    }
    rows: Rows = [[name, Cell(str(value), style="wrap")] for name, value in known.items() if value != ""]
    return "How it was run", [Table([], rows)]


SECTIONS: Mapping[str, Callable[[CampaignView, Mapping[str, Figure]], Blocks]] = {
    "programs": _programs,
    "curves": _curves,
    "progress": _progress,
    "origins": _origins,
    "structure": _structure,
    "lineage": _lineage,
    "source": _source,
    "held-out": _held_out,
    "outcomes": _outcomes,
    "events": _events,
    "run": _run,
}
"""Name -> heading and blocks of a campaign's section; without blocks, there is nothing to show."""
