"""``evolve promote``: finalists of a campaign and the baselines on tasks that no search has seen."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

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
    by_program,
    estimate_text,
    grouped,
    lead,
    plain_table,
    print_across,
    print_whole,
    ranked,
    row_name,
    score_text,
    title,
)
from evolve.comparison import verdicts
from evolve.comparison.verdicts import Contender, Promotion
from evolve.errors import ConfigError
from results.comparison import ranking, summarized
from results.text import MARKS, count, plural


def promote(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    finalists: Annotated[int, typer.Option(min=1, help="How many of its programs.")] = 3,
    baselines: Annotated[
        str | None,
        typer.Option(
            help="Seeds, separated by commas; fewer take less time. [default: every seed of the domain]"
        ),
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
    """Compare a campaign's best programs with the seeds on held-out tasks. Every evaluation there is recorded.

    The test suite, and tasks that are drawn only now, at several horizons; checks on the tasks of the search in all
    tiers. The verdict is whether a program is ahead of each seed, level or behind: paired differences, 95 % intervals
    over families of tasks, corrected for the number of seeds. Programs run in the campaign's kind of sandbox and under
    its limits. With every seed and the longest horizon the whole takes hours; fewer --baselines or --horizons less.

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
    for finalist in promotion.finalists:
        _print_verdict(out, promotion, finalist)
    _print_legend(out, promotion)
    _print_failures(out, promotion)
    drawn = f"Seed of the freshly drawn {plural(metric.task)}: {promotion.seed}. " if promotion.drawn else ""
    counts = f"{promotion.total}, of which {len(promotion.held_out)} now; all are recorded"
    print_line(out, f"{drawn}Held-out evaluations of this campaign: {counts}.")


def _print_values(out: Console, promotion: Promotion, horizon: int) -> None:
    """Print the score and values of all programs at one budget, best first, a column per group of tasks."""
    runs = [run for run in promotion.held_out if run.task.budget == horizon]
    tier = next((run.task.tier for run in runs if run.task.name not in promotion.drawn), runs[0].task.tier)
    columns = dict.fromkeys(
        row_name(run.task, tier) for run in sorted(runs, key=lambda run: run.task.tier != tier)
    )
    entries = []
    for one in promotion.contenders:
        own = [run for run in runs if run.program_id == one.program_id]
        score = verdicts.mean_score(promotion.metric, own)
        entries.append(Entry(one.label, score, grouped(own, tier), one.ordinal is not None))
    shown = ranked(entries)
    print_across(
        out,
        list(columns),
        lambda names: by_program(shown, names, promotion.metric, objective=promotion.objective),
    )


def _print_summaries(out: Console, promotion: Promotion) -> None:
    """Print mean scores, best first on families that the search does not have."""
    summaries = {one: verdicts.summary(promotion, one) for one in promotion.contenders}
    tiers = list(dict.fromkeys(tier for means in summaries.values() for tier in means.tiers))
    heads = {"training": "search ↑", "sibling": "its families ↑", "new": "other families ↑"}
    heads = {key: head for key, head in heads.items() if any(getattr(m, key) for m in summaries.values())}
    table = plain_table("program", right=[*heads.values(), *tiers])
    by = list(heads)[-1] if heads else "training"
    known = {one.label: getattr(means, by) for one, means in summaries.items()}
    order = {name: place for place, name in enumerate(ranking(known))}
    for one, means in sorted(summaries.items(), key=lambda pair: order[pair[0].label]):
        cells = [estimate_text(getattr(means, key)) for key in heads]
        cells += [score_text(means.tiers.get(tier)) for tier in tiers]
        table.add_row(one.label, *cells, style="green" if one.ordinal is not None else "")
    print_whole(out, table)
    notes = ["Held-out ones apart: of families that the search has, and of others."]
    notes += [f"{', '.join(tiers)}: the largest change against {promotion.base_tier}."] if tiers else []
    print_line(out, " ".join(notes))


def _print_verdict(out: Console, promotion: Promotion, finalist: Contender) -> None:
    """Print one finalist against every baseline, the strongest first, and the sentence that it comes to."""
    made = verdicts.comparisons(promotion, finalist)
    names = {one.program_id: one.label for one in promotion.baselines}
    unit = "powers of ten" if promotion.metric.scale == "log" else f"units of {promotion.metric.unit:g}"
    print_line(
        out, f"\n{finalist.name} against each, over all held-out {plural(promotion.metric.task)} ({unit}):"
    )
    table = plain_table("against", right=["ahead by", "95 % interval", "p", "w-t-l", "verdict"])
    for one in made:
        interval = "-" if one.low is None or one.high is None else f"{one.low:+.2f} to {one.high:+.2f}"
        p = "-" if one.p is None else f"{one.p:.2g}"
        wins = f"{one.wins}-{one.ties}-{one.losses}"
        table.add_row(names[one.other], lead(one), interval, p, wins, one.verdict or "not counted")
    print_whole(out, table)
    print_line(out, f"{finalist.name} is {summarized(made, names)}.")


def _print_legend(out: Console, promotion: Promotion) -> None:
    """Print what the columns of verdicts mean, and what was left out."""
    made = [one for finalist in promotion.finalists for one in verdicts.comparisons(promotion, finalist)]
    floored, unpaired = (
        max((getattr(one, key) for one in made), default=0) for key in ("beyond_floor", "unpaired")
    )
    task = promotion.metric.task
    lines = ["p: adjusted for the number of programs (Holm). w-t-l: wins, ties and losses, by task instance."]
    if floored:
        lines.append(f"On up to {count(floored, task)} both are beyond the floor: these count 0.")
    if unpaired:
        lines.append(f"Up to {count(unpaired, task)} that only one of two finished do not count.")
    if any(one.label != one.name for one in promotion.contenders):
        lines.append(f"{MARKS}.")
    for line in lines:
        print_line(out, line)


def _print_failures(out: Console, promotion: Promotion) -> None:
    names = {one.program_id: one.label for one in promotion.contenders}
    for run in (*promotion.held_out, *promotion.checks):
        if not run.outcome.ok:
            line = f"{names[run.program_id]} ended as {run.outcome.tag.value} on {run.task.name}."
            print_line(out, line)
