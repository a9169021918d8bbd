"""The sections of a campaign's pages, as report and dashboard show them: which tables, figures and words each has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from evaluators.records import Metric, TaskResult
from results import progress
from results.programs import SHOWN_ID
from results.text import (
    NONE,
    count,
    duration,
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
from results.views.document import Block, Cell, Code, Figure, Rows, Section, Steps, Table, num
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
        ]
        for one in entries
    ]
    if any(column.uniform is not None for column in columns):
        trivial = [num(measured(metric, column.uniform)) for column in columns]
        rows.append(["a trivial program", "", num(NONE), *trivial])
    budgets = {column.budget for column in columns}
    after = f" after {count(min(budgets), metric.budget)}" if len(budgets) == 1 else ""
    caption = (
        f"{objective} (larger is better), and {metric.label}{after} on each {metric.task} ({words.better(metric)}); "
        "★ best, = tied with the best"
    )
    return Table(
        ["program", "", f"{objective} ↑", *_heads(metric, columns)], rows, caption if columns else ""
    )


def results_table(metric: Metric, results: Sequence[TaskResult]) -> Table:
    """Return what one evaluation reached on each task, with all further figures."""
    extra = list(dict.fromkeys(name for result in results for name in result.extra))
    rows: Rows = [
        [
            result.task.name,
            num(f"{result.task.budget:,}"),
            num(measured(metric, result.value, result.stderr)),
            num(measured(metric, result.reference[-1][1] if result.reference else None)),
            num(measured(metric, result.uniform)),
            *(num(f"{result.extra[name]:.4g}" if name in result.extra else NONE) for name in extra),
            num(duration(result.cost.cpu_s)),
        ]
        for result in results
    ]
    head = [metric.task, plural(metric.budget), metric.label, "reference", "trivial program", *extra, "CPU"]
    return Table(head, rows)


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
    return [f"{column.name}{k} {words.arrow(metric)}" for column, k in zip(columns, after, strict=True)]


Blocks = tuple[str, list[Block]]


def _drawn(figures: Mapping[str, Figure], *names: str) -> list[Block]:
    return [figures[name] for name in names if name in figures]


def _programs(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    record = view.campaign
    roles = {view.best.program_id: "best candidate"} if view.best else {}
    table = program_table(record.metric, record.objective, view.entries, view.columns, roles)
    return "Best programs beside the baselines", [table] if view.entries else []


def _curves(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    metric = view.campaign.metric
    return f"{metric.label[:1].upper()}{metric.label[1:]} by {metric.task}", _drawn(figures, "curves")


def _progress(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    if not view.lineage:
        return "Progress of the search", ["Nothing has been scored yet."]
    name, objective = view.campaign.name, view.campaign.objective
    rows: Rows = [
        [
            num(t.ordinal, href=candidate_path(name, t.ordinal)),
            num(score(t.value, t.stderr)),
            num(signed(t.gain), "up"),
            t.model or t.operator,
        ]
        for t in view.improvements[: -IMPROVEMENTS_SHOWN - 1 : -1]
    ]
    table = Table(["candidate", f"{objective} ↑", "gain", "by"], rows, "Last improvements")
    note = "A dot is a candidate; the worst tenth may lie below the figure."
    level = " The dashed line is the best baseline." if view.baseline else ""
    drawn = _drawn(figures, "best-by-candidate", "best-by-cpu", "best-by-cost", "islands")
    return "Progress of the search", [note + level, *drawn, *([table] if rows else [])]


def _origins(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    blocks: list[Block] = []
    parts = {"operator": progress.operator_shares(view.trials), "model": progress.model_shares(view.trials)}
    for kind, own in parts.items():
        if own:
            blocks += [*_drawn(figures, f"{kind}s"), _shares(kind, own, paid=view.cost_usd > 0)]
    if view.calls:
        blocks.append(_calls(view))
    islands = progress.island_bests(view.trials)
    if len(islands) > 1:
        blocks.append(_islands(view, islands))
    text = "An improvement is a candidate that scored more than all before it."
    return "Where improvements came from", [text, *blocks] if blocks else []


def _shares(kind: str, shares: Sequence[progress.Share], *, paid: bool) -> Table:
    head = [kind, "proposed", "valid", "improvements", "gain", "CPU", "CPU per improvement"]
    rows: Rows = [
        [
            one.name,
            num(one.proposed),
            num(f"{one.valid} ({percent(one.valid, one.proposed)})"),
            num(one.improvements),
            num(signed(one.gain)),
            num(duration(one.cpu_s)),
            num(duration(one.cpu_s / one.improvements if one.improvements else None)),
            *([num(usd(one.cost_usd)), num(usd(one.cost_usd / max(1, one.improvements)))] if paid else []),
        ]
        for one in shares
    ]
    return Table(head + ["cost", "cost per improvement"] * paid, rows)


def _calls(view: CampaignView) -> Table:
    head = [
        "model", "calls", "unanswered", "better than parent", "mean reward", "tokens in", "tokens out", "cost",
    ]  # fmt: skip
    rows: Rows = [
        [
            one.model,
            *map(num, (one.calls, one.unanswered, one.improved, f"{one.reward:.2f}")),
            *map(num, (f"{one.input_tokens:,}", f"{one.output_tokens:,}", usd(one.cost_usd))),
        ]
        for one in view.calls
    ]
    return Table(head, rows, "Calls to models; lost ones count with what they may have cost at most")


def _islands(view: CampaignView, bests: Mapping[int, Sequence[tuple[int, float]]]) -> Table:
    listed = campaign_path(view.campaign.name, "programs")
    rows: Rows = [
        [
            num(island, href=f"{listed}?island={island}&sort=-score"),
            num(sum(trial.island == island for trial in view.trials)),
            num(len(bests.get(island, ()))),
            num(score(bests[island][-1][1] if island in bests else None)),
        ]
        for island in sorted({trial.island for trial in view.trials})
    ]
    return Table(["island", "candidates", "valid", "best"], rows)


def _structure(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    made = changes(view.lineage)
    parts = split([(change.kind, change.gain) for change in made if change.kind is not None])
    rows: Rows = [[num(signed(part.gain)), num(part.steps), words.KINDS[part.kind]] for part in parts]
    text = (
        f"From {score(made[0].step.score)} to {score(made[-1].step.score)} in {count(len(made) - 1, 'step')} of the best "
        "program's lineage. A step counts as constants when the two syntax trees are equal once numbers are masked and "
        "docstrings and names of variables are set aside."
        if rows
        else "The best program is the one that the search started from."
    )
    table = Table(["gain", "steps", "what changed"], rows)
    return "Structure against constants", [text, *([table] if rows else [])] if made else []


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
        text = f"None so far. `evolve promote {view.campaign.name}` runs the best programs on {tasks} that the search never saw."
        return f"Held-out {tasks}", [text]
    text = (
        f"{count(len(unseen.evaluations), 'held-out evaluation')}: each is a program on a {metric.task} that the search "
        "never saw, and the more there are, the less they prove. Where one was repeated, the last counts."
    )
    blocks: list[Block] = [text, *_drawn(figures, "advantages"), *_contests(metric, unseen)]
    names = [
        Cell(name, program_path(key), "ours" * (key == unseen.leader)) for key, name in unseen.names.items()
    ]
    values: Rows = [
        [name, *(_value(metric, c, key) for c in unseen.columns)]
        for key, name in zip(unseen.names, names, strict=True)
    ]
    caption = f"{metric.label} on held-out {tasks} ({words.better(metric)}); ★ best, = tied with the best"
    by_task = Table([metric.task, *_heads(metric, unseen.columns)], values, caption).transposed()
    return f"Held-out {tasks}", [*blocks, by_task, _every_evaluation(metric, unseen)]


def _contests(metric: Metric, unseen: HeldOut) -> list[Block]:
    """Return the pairs, the gap to the tasks of the search, and the summaries of a promotion."""
    unit, names = words.ahead_unit(metric), unseen.names
    pairs: Rows = [
        [
            Cell(names[one.finalist], style="ours" * (one.finalist == unseen.leader)),
            names[one.baseline],
            num(signed(one.mean), _side(one.mean)),
            words.results(one),
        ]
        for one in unseen.pairs
    ]
    caption = f"In pairs: how far ahead on average ({unit}), and on how many {plural(metric.task)}"
    tables = [Table(["finalist", "against", "ahead", metric.task + " by " + metric.task], pairs, caption)]
    if unseen.advantages:
        gaps: Rows = [
            [one.name, *(num(signed(v)) for v in (one.search, one.held_out, one.gap))]
            for one in unseen.advantages
        ]
        caption = f"{names[unseen.leader]} ahead of each baseline ({unit}), on {plural(metric.task)} of the search and held-out"
        tables.append(Table(["baseline", "search", "held-out", "gap"], gaps, caption))
    if unseen.summaries:
        tables.append(_summaries(unseen))
    return [table for table in tables if table.rows]


def _summaries(unseen: HeldOut) -> Table:
    tiers = list(dict.fromkeys(tier for one in unseen.summaries for tier in one["tiers"]))
    rows: Rows = [
        [
            unseen.names[one["program_id"]],
            *(num(score(one[name])) for name in ("training", "test")),
            num(signed(one["gap"])),
            num(score(one["drawn"])),
            *(num(score(one["tiers"].get(tier))) for tier in tiers),
        ]
        for one in unseen.summaries
    ]
    caption = (
        "Mean scores of the last promotion; a tier's column is the largest change against the first tier"
    )
    return Table(["program", "search", "held-out", "gap", "freshly drawn", *tiers], rows, caption)


def _every_evaluation(metric: Metric, unseen: HeldOut) -> Table:
    rows: Rows = [
        [
            Cell(moment(one.evaluated_at), style="time"),
            Cell(unseen.names[one.program_id], program_path(one.program_id)),
            one.task.name,
            num(f"{one.task.budget:,}"),
            num(measured(metric, one.value, one.stderr))
            if one.value is not None
            else Cell(one.outcome.tag.value),
            one.purpose,
        ]
        for one in unseen.evaluations[: -HELD_OUT_SHOWN - 1 : -1]
    ]
    fold = f"Every evaluation{f', the last {HELD_OUT_SHOWN}' * (len(unseen.evaluations) > HELD_OUT_SHOWN)}"
    head = ["when (UTC)", "program", metric.task, plural(metric.budget), metric.label, "purpose"]
    return Table(head, rows, fold=fold)


def _side(difference: float | None) -> str:
    return "" if not difference else "up" if difference > 0 else "down"


def _outcomes(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    listed = campaign_path(view.campaign.name, "programs")
    failures = {one.outcome: one for one in view.failures}
    rows: Rows = []
    for outcome, number in progress.outcome_counts(view.trials).items():
        failure = failures.get(outcome)
        times = f" ({failure.times} times)" if failure and failure.times > 1 else ""
        rows.append(
            [
                Cell(
                    outcome,
                    f"{listed}?outcome={quote(outcome)}",
                    "outcome ok" if outcome == "ok" else "outcome",
                ),
                num(number),
                Cell(one_line(failure.message) + times if failure else "", style="wrap"),
            ]
        )
    table = Table(["outcome", "candidates", "most frequent message"], rows)
    return "Outcomes of all candidates", [*_drawn(figures, "outcomes"), table] if rows else []


def _events(view: CampaignView, figures: Mapping[str, Figure]) -> Blocks:
    rows: Rows = [
        [
            Cell(moment(one.happened_at), style="time"),
            one.kind,
            Cell(one_line(json.dumps(one.payload, ensure_ascii=False), 1000), style="mono wrap"),
        ]
        for one in view.events[: -EVENTS_SHOWN - 1 : -1]
        if one.kind != VERDICT
    ]
    return "Events", [Table(["when (UTC)", "what", "details"], rows)] if rows else []


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
