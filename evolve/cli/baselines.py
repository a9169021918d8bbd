"""``evolve baselines``: all seed programs of a domain beside each other, as a table and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import SCHEMA_VERSION, JsonOption, console, evaluation_json, print_json, split
from evolve.cli.programs import GamesOption, IterationsOption, SuiteOption, TierOption
from evolve.cli.progress import progress

if TYPE_CHECKING:
    from evaluators.contract import Plan
    from evaluators.records import Outcome
    from evolve.comparison.tables import Gamewise
    from evolve.comparison.ties import Span
    from evolve.programs import Program


@dataclass(frozen=True)
class Row:
    """One program: what it did on the plan, and with ``--ties`` on jittered payoffs."""

    program: Program
    played: Gamewise
    jittered: Gamewise | None = None

    @property
    def failures(self) -> Mapping[str, Outcome]:
        """Game -> how the program ended there, where it did not play to the end."""
        again = self.jittered.failures if self.jittered else {}
        return {**again, **self.played.failures}

    @property
    def spans(self) -> Mapping[str, Span]:
        """Game -> interval; empty without jittered payoffs."""
        from evolve.comparison.ties import spans

        return spans(self.played.evaluation, self.jittered.evaluation) if self.jittered else {}


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

    A program that refuses a game, by an exception or an invalid answer, still
    has its values on all others; why stands below the table ("failed" in JSON).
    Exit code 1 if one ends otherwise: at a limit, by a crash, by the machine.

    Example: evolve baselines --suite train --iterations 1000 --figure train.svg
    """
    import os

    import seeds
    from evaluators.registry import get_domain
    from evolve.comparison.tables import REFUSALS
    from evolve.programs import find_program

    chosen, tiers = get_domain(domain), split(tier)
    if figure:
        _check_figure(figure)
    if ties:
        _check_ties(domain, chosen.tiers, tiers)
    plan = chosen.plan(split(games), suite=suite, tiers=tiers, iterations=iterations)
    plans = [plan]
    if ties:
        plans.append(chosen.plan(split(games), suite=suite, tiers=["jitter"], iterations=iterations))
    programs = [find_program(name, domain=domain) for name in seeds.names(domain)]
    found = _play(chosen, programs, plans, workers or len(os.sched_getaffinity(0)), quiet=as_json)
    rows = [Row(program, *played) for program, played in zip(programs, zip(*found, strict=True), strict=True)]
    if figure:
        _draw(figure, rows, plan)
    if as_json:
        about = {"domain": domain, "suite": None if games else suite, "tiers": tiers}
        more = {"ties": _ties_json(rows)} if ties else {}
        lines = {"baselines": [_row_json(row) for row in rows]}
        print_json({"schema_version": SCHEMA_VERSION} | about | lines | more)
    else:
        from evolve.cli.baselines_table import print_table

        print_table(rows, plan)
    if any(outcome.tag not in REFUSALS for row in rows for outcome in row.failures.values()):
        raise typer.Exit(1)


def _check_figure(path: Path) -> None:
    from evolve.errors import ConfigError

    if path.suffix.lower() not in (".png", ".svg", ".pdf") or not path.absolute().parent.is_dir():
        raise ConfigError(
            f"--figure: expected a file ending in .png, .svg or .pdf in a folder that exists; got {str(path)!r}."
        )


def _check_ties(domain: str, known: Sequence[str], tiers: Sequence[str] | None) -> None:
    from evolve.comparison import ties
    from evolve.errors import ConfigError

    if ties.TIER not in known:
        raise ConfigError(f"--ties: expected a domain with a tier {ties.TIER!r}; {domain!r} has none.")
    if "exact" not in (tiers or []):
        raise ConfigError(
            "--ties: expected the tier exact, which intervals are shown for.", "Add it to --tier."
        )


def _play(
    domain: Domain, programs: Sequence[Program], plans: Sequence[Plan], workers: int, *, quiet: bool
) -> list[list[Gamewise]]:
    """Every program on every game of every plan."""
    import asyncio

    from evolve.comparison.tables import by_game, evaluate_all
    from evolve.evaluation.local import LocalExecutor
    from evolve.evaluation.service import EvaluationService

    sources = [program.source for program in programs]
    total, done = len(sources) * sum(len(by_game(plan)) for plan in plans), 0
    with LocalExecutor(workers) as executor, progress(quiet=quiet) as shown:

        def told() -> None:
            nonlocal done
            done += 1
            shown(done, total)

        async def all_plans() -> list[list[Gamewise]]:
            service = EvaluationService(domain.name, executor, workers)
            return await asyncio.gather(
                *(evaluate_all(service, domain, sources, plan, told=told) for plan in plans)
            )

        shown(done, total)
        try:
            return asyncio.run(all_plans())
        except BaseException:
            executor.kill()
            raise


def _draw(path: Path, rows: Sequence[Row], plan: Plan) -> None:
    from results import plots

    runs = [(row.program.name, result) for row in rows for result in row.played.evaluation.results]
    # Panels stand as they first appear, and the first program may have refused the first game.
    runs.sort(key=lambda run: plan.instances.index(run[1].instance))
    curves = [plots.Curve(name, result.instance.name, result.curve) for name, result in runs]
    if curves:
        plots.save(plots.exploitability(curves), path)
        console(stderr=True).print(f"Figure: {path}")


def _row_json(row: Row) -> dict[str, Any]:
    found = evaluation_json(row.program, row.played.evaluation)
    found["failed"] = [
        {"game": game, "outcome": outcome.tag.value, "message": outcome.message}
        for game, outcome in row.failures.items()
    ]
    if row.jittered is not None:
        found["jitter"] = {game: [span.low, span.high] for game, span in row.spans.items()}
    return found


def _ties_json(rows: Sequence[Row]) -> dict[str, Any]:
    from evolve.comparison.ties import standings

    found = standings({row.program.name: row.spans for row in rows})
    return {game: {"winner": s.winner, "tied": list(s.tied)} for game, s in found.items()}
