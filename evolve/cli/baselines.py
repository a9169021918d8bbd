"""``evolve baselines``: all seed programs of a domain beside each other, as a table and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import (
    SCHEMA_VERSION,
    JsonOption,
    console,
    evaluation_json,
    exact_values,
    fail,
    print_json,
    split,
)
from evolve.cli.programs import GamesOption, IterationsOption, SuiteOption, TierOption

if TYPE_CHECKING:
    from evaluators.base import Evaluation, Plan
    from evolve.cli.tables import Entry
    from evolve.programs import Program
    from evolve.promotion.ties import Span

TIES_ACROSS = 3
"""Games beside each other that fit 100 columns with their intervals."""

FigureOption = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        help="Draw exploitability against iteration into this file (png, svg or pdf).",
        show_default=False,
    ),
]


def baselines(
    domain: Annotated[str, typer.Option("--domain", help="Whose baselines.")] = "cfr",
    games: GamesOption = None,
    suite: SuiteOption = "train",
    tier: TierOption = "exact",
    iterations: IterationsOption = None,
    ties: Annotated[
        bool, typer.Option("--ties", help="Also on jittered payoffs: intervals, winners and ties per game.")
    ] = False,
    figure: FigureOption = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes. [default: one per core]")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The table of all seed and baseline programs of a domain on a suite, the smallest value of each game in bold.

    Example: evolve baselines --suite train --iterations 1000 --figure train.svg
    """
    import os

    import seeds
    from evaluators.base import get_domain
    from evolve.executors.local import LocalExecutor
    from evolve.programs import find_program

    chosen, tiers = get_domain(domain), split(tier)
    if figure:
        _check_figure(figure)
    if ties:
        _check_ties(domain, chosen.tiers, tiers)
    plan = chosen.plan(split(games), suite=suite, tiers=tiers, iterations=iterations)
    programs = [find_program(name, domain=domain) for name in seeds.names(domain)]
    jittered: list[Evaluation] = []
    with LocalExecutor(workers or len(os.sched_getaffinity(0))) as executor:
        evaluations = _evaluate_all(executor, programs, plan, quiet=as_json)
        if ties:
            again = chosen.plan(split(games), suite=suite, tiers=["jitter"], iterations=iterations)
            jittered = _evaluate_all(executor, programs, again, quiet=as_json)
    found = _spans(programs, evaluations, jittered)
    if figure:
        _draw(figure, programs, evaluations, plan)
    if as_json:
        about = {"domain": domain, "suite": None if games else suite, "tiers": tiers}
        rows = [_row(p, e, found.get(p.name)) for p, e in zip(programs, evaluations, strict=True)]
        more = {"ties": _ties_json(found)} if ties else {}
        print_json({"schema_version": SCHEMA_VERSION} | about | {"baselines": rows} | more)
    else:
        _print(programs, evaluations, plan, found)
    if any(not e.outcome.ok for e in (*evaluations, *jittered)):
        raise typer.Exit(1)


def _check_figure(path: Path) -> None:
    from evolve.errors import ConfigError

    if path.suffix.lower() not in (".png", ".svg", ".pdf") or not path.absolute().parent.is_dir():
        raise ConfigError(
            f"--figure: expected a file ending in .png, .svg or .pdf in a folder that exists; got {str(path)!r}."
        )


def _check_ties(domain: str, known: Sequence[str], tiers: Sequence[str] | None) -> None:
    from evolve.errors import ConfigError
    from evolve.promotion import ties

    if ties.TIER not in known:
        raise ConfigError(f"--ties: expected a domain with a tier {ties.TIER!r}; {domain!r} has none.")
    if "exact" not in (tiers or []):
        raise ConfigError(
            "--ties: expected the tier exact, which intervals are shown for.", "Add it to --tier."
        )


def _evaluate_all(
    executor: Executor, programs: Sequence[Program], plan: Plan, *, quiet: bool
) -> list[Evaluation]:
    from rich.progress import track

    from evolve.executors.job import Job, run_job

    futures = [executor.submit(run_job, Job(p.domain.name, p.source, plan)) for p in programs]
    err = console(stderr=True)
    shown = track(futures, "baselines", console=err, disable=quiet or not err.is_terminal, transient=True)
    return [future.result() for future in shown]


def _spans(
    programs: Sequence[Program], evaluations: Sequence[Evaluation], jittered: Sequence[Evaluation]
) -> dict[str, dict[str, Span]]:
    """Program -> game -> span; empty without jittered evaluations."""
    from evolve.promotion.ties import spans

    rows = zip(programs, evaluations, jittered, strict=False)
    return {p.name: spans(exact, jitter) for p, exact, jitter in rows}


def _draw(path: Path, programs: Sequence[Program], evaluations: Sequence[Evaluation], plan: Plan) -> None:
    from results import plots

    rows = zip(programs, evaluations, strict=True)
    curves = [plots.Curve(p.name, r.instance.name, r.curve) for p, e in rows for r in e.results]
    if curves:
        plots.save(plots.exploitability(curves), path)
        console(stderr=True).print(f"Figure: {path}")


def _row(program: Program, evaluation: Evaluation, spans: Mapping[str, Span] | None) -> dict[str, Any]:
    row = evaluation_json(program, evaluation)
    if spans is not None:
        row["jitter"] = {game: [span.low, span.high] for game, span in spans.items()}
    return row


def _ties_json(found: Mapping[str, Mapping[str, Span]]) -> dict[str, Any]:
    from evolve.promotion.ties import standings

    return {game: {"winner": s.winner, "tied": list(s.tied)} for game, s in standings(found).items()}


def _print(
    programs: Sequence[Program],
    evaluations: Sequence[Evaluation],
    plan: Plan,
    found: Mapping[str, Mapping[str, Span]],
) -> None:
    from evolve.cli.tables import MS_MEANS, by_objective, by_program, with_ties

    objective = programs[0].domain.default_objective
    rows = sorted(
        zip(programs, evaluations, strict=True), key=lambda row: -row[1].objectives.get(objective, 0.0)
    )
    entries = _entries(rows, objective, found)
    exact = list(dict.fromkeys(i.game for i in plan.instances if i.variant == "exact"))
    out = console()
    what = "Exploitability (NashConv / N)" if exact else f"Mean {objective} over payoff variants"
    out.print(f"{what} after {plan.instances[0].iterations} iterations:")
    if found:
        for first in range(0, len(exact), TIES_ACROSS):
            out.print(with_ties(entries, exact[first : first + TIES_ACROSS], objective=objective))
        out.print(
            "★ smallest value; = tied with it: their intervals overlap, or both are beyond six decades."
        )
        out.print("± or …: how far payoffs jittered by 1e-9 (3 seeds) move the value.")
    elif exact:
        out.print(by_program(entries, exact, objective=objective))
        out.print(MS_MEANS)
    else:
        names = dict.fromkeys(f"{objective}/{i.game}" for i in plan.instances)
        out.print(by_objective([(p.name, e.objectives) for p, e in rows], [objective, *names]))
    for program, evaluation in rows:
        if not evaluation.outcome.ok:
            fail(f"{program.name} ended as {evaluation.outcome.tag.value}: {evaluation.outcome.message}")


def _entries(
    rows: Sequence[tuple[Program, Evaluation]], objective: str, found: Mapping[str, Mapping[str, Span]]
) -> list[Entry]:
    from evolve.cli.tables import Entry

    return [
        Entry(
            p.name,
            e.objectives.get(objective),
            exact_values(e),
            spans=found.get(p.name, {}),
            program_ms=_program_ms(e),
        )
        for p, e in rows
    ]


def _program_ms(evaluation: Evaluation) -> float | None:
    costs = [1e3 * r.candidate_cpu_s / r.instance.iterations for r in evaluation.results]
    return fmean(costs) if costs else None
