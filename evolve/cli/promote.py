"""``evolve promote``: finalists of a campaign and the baselines on tasks that no search has seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from evaluators.records import Score
from evolve.cli.output import (
    DbOption,
    JsonOption,
    console,
    database,
    print_json,
    print_line,
    progress,
    split,
)
from evolve.cli.programs import WorkersOption
from evolve.cli.tables import (
    LEGEND,
    Entry,
    by_row,
    difference,
    grouped,
    plain_table,
    print_across,
    print_whole,
    row_name,
    score_text,
    title,
)
from evolve.comparison import verdicts
from evolve.comparison.verdicts import Promotion
from evolve.errors import ConfigError
from results.text import count, plural


def promote(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    finalists: Annotated[int, typer.Option(min=1, help="How many of its programs.")] = 3,
    baselines: Annotated[
        str | None, typer.Option(help="Seeds, separated by commas. [default: the domain's]")
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", "--games", help="Only these held-out tasks. [default: the test suite]"),
    ] = None,
    horizons: Annotated[
        str | None,
        typer.Option(
            help="Budgets of the held-out tasks, separated by commas, such as 300,1000. [default: the domain's]"
        ),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            "--budget",
            "--iterations",
            min=1,
            help="Of the checks on tasks of the search. [default: the campaign's]",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of the freshly drawn tasks, to repeat a promotion. [default: a new one]"),
    ] = None,
    workers: WorkersOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a campaign's best programs with the baselines on held-out tasks. Every evaluation there is recorded.

    The test suite, and tasks that are drawn only now, at several horizons; checks on the tasks of the search in all
    tiers. Programs run in the campaign's kind of sandbox and under its limits. The whole takes minutes.

    Example: evolve promote cfr-symbolic-s0 --tasks kuhn4,goofspiel5 --horizons 300
    """
    from evolve.comparison import held_out
    from results.store import open_store

    choice = held_out.Choice(
        finalists=finalists,
        baselines=split(baselines) or (),
        tasks=split(tasks) or (),
        horizons=_numbers(horizons),
        budget=budget,
        seed=seed,
        workers=workers or len(os.sched_getaffinity(0)),
    )
    with open_store(database(db), create=False) as store, progress(quiet=as_json) as shown:
        promotion = held_out.promote(store, campaign, choice, progress=shown)
    if as_json:
        print_json(verdicts.as_json(promotion))
    else:
        _print(promotion)


def _numbers(text: str | None) -> list[int]:
    numbers = split(text) or []
    if not all(part.isdecimal() and int(part) > 0 for part in numbers):
        raise ConfigError(f"--horizons: expected whole numbers such as 300,1000; got {text!r}.")
    return [int(part) for part in numbers]


def _print(promotion: Promotion) -> None:
    out, metric = console(), promotion.metric
    out.print(
        f"Finalists of [bold]{promotion.campaign}[/bold], on {plural(metric.task)} that the search has not seen:\n"
    )
    for one in promotion.finalists:
        out.print(f"  {one.name:<6} {one.program_id[:10]}")
    for horizon in promotion.horizons:
        tasks = [run.task for run in promotion.held_out if run.task.budget == horizon]
        print_line(out, f"\n{title(metric, tasks)}:")
        _print_values(out, promotion, horizon)
    print_line(out, f"{LEGEND}.")
    after = [
        f" after {count(budget, metric.budget)}" if budget > 1 else ""
        for budget in (promotion.budget, promotion.horizon)
    ]
    tasks_of = f"{plural(metric.task)} of the search{after[0]}, and held-out ones{after[1]}"
    print_line(out, f"\n{promotion.objective} on {tasks_of}:")
    _print_summaries(out, promotion)
    unit = "powers of ten" if metric.scale == "log" else f"{metric.name} (unit {metric.unit:g})"
    print_line(out, f"\nIn pairs, over all held-out runs: mean advantage in {unit}, wins-ties-losses:")
    _print_pairs(out, promotion)
    _print_failures(out, promotion)
    drawn = f"Seed of the freshly drawn {plural(metric.task)}: {promotion.seed}. " if promotion.drawn else ""
    counts = f"{promotion.total}, of which {len(promotion.held_out)} now; all are recorded"
    print_line(out, f"{drawn}Held-out evaluations of this campaign: {counts}.")


def _print_values(out: Console, promotion: Promotion, horizon: int) -> None:
    """Print the score and values of all programs at one budget, a column per program."""
    runs = [run for run in promotion.held_out if run.task.budget == horizon]
    tier = next((run.task.tier for run in runs if run.task.name not in promotion.drawn), runs[0].task.tier)
    rows = dict.fromkeys(
        row_name(run.task, tier) for run in sorted(runs, key=lambda run: run.task.tier != tier)
    )
    entries = {}
    for one in promotion.contenders:
        own = [run for run in runs if run.program_id == one.program_id]
        mean = verdicts.mean_score(own)
        score = None if mean is None else Score(mean)
        entries[one.name] = Entry(one.name, score, grouped(own, tier), one.ordinal is not None)
    finalists = [one.name for one in promotion.finalists]

    def table(baselines: Sequence[str]) -> Table:
        shown = [entries[name] for name in (*finalists, *baselines)]
        return by_row(shown, list(rows), promotion.metric, objective=promotion.objective)

    print_across(out, [one.name for one in promotion.baselines], table)


def _print_summaries(out: Console, promotion: Promotion) -> None:
    summaries = {one.name: (one, verdicts.summary(promotion, one)) for one in promotion.contenders}
    tiers = list(dict.fromkeys(tier for _, means in summaries.values() for tier in means.tiers))
    drawn = ["drawn ↑"] if promotion.drawn else []
    table = plain_table("program", right=["training ↑", "test ↑", "gap", *drawn, *tiers])
    for name, (one, means) in summaries.items():
        cells = [score_text(means.training), score_text(means.test), difference(means.gap)]
        cells += [score_text(means.drawn)] if drawn else []
        cells += [score_text(means.tiers.get(tier)) for tier in tiers]
        table.add_row(name, *cells, style="green" if one.ordinal is not None else "")
    print_whole(out, table)
    notes = ["gap: training less test, to be read beside the baselines'."]
    notes += [f"{', '.join(tiers)}: the largest change against the first tier."] if tiers else []
    print_line(out, " ".join(notes))


def _print_pairs(out: Console, promotion: Promotion) -> None:
    by_names = {(one.finalist, one.baseline): one for one in verdicts.pairs(promotion)}
    ids = {one.name: one.program_id for one in promotion.baselines}

    def table(names: Sequence[str]) -> Table:
        shown = plain_table("finalist", right=names)
        for one in promotion.finalists:
            row = [by_names[one.program_id, ids[name]] for name in names]
            cells = [
                "-" if p.mean is None else f"{difference(p.mean)} ({p.wins}-{p.ties}-{p.losses})" for p in row
            ]
            shown.add_row(one.name, *cells)
        return shown

    print_across(out, list(ids), table)


def _print_failures(out: Console, promotion: Promotion) -> None:
    names = {one.program_id: one.name for one in promotion.contenders}
    for run in (*promotion.held_out, *promotion.checks):
        if not run.outcome.ok:
            line = f"{names[run.program_id]} ended as {run.outcome.tag.value} on {run.task.name}."
            print_line(out, line)
