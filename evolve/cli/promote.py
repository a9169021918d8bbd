"""``evolve promote``: finalists of a campaign and the baselines on games that no search has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolve.cli.output import (
    SCHEMA_VERSION,
    DbOption,
    JsonOption,
    console,
    database,
    print_json,
    split,
)
from evolve.cli.progress import progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from evolve.comparison.held_out import Contender, Promotion, Run


BaselinesOption = Annotated[
    str | None,
    typer.Option(
        "--baselines", help="Seeds, separated by commas. [default: the domain's]", show_default=False
    ),
]
GamesOption = Annotated[
    str | None,
    typer.Option("--games", help="Only these test games. [default: the test suite]", show_default=False),
]
HorizonsOption = Annotated[
    str | None,
    typer.Option(
        "--horizons",
        help="Iterations of the runs on them, separated by commas. [default: 300,1000,3000 for CFR]",
        show_default=False,
    ),
]
IterationsOption = Annotated[
    int | None,
    typer.Option(
        "--iterations",
        min=1,
        help="Of the checks on training games. [default: the campaign's]",
        show_default=False,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        help="Of the freshly drawn copies, to repeat a promotion. [default: a new one]",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes. [default: one per core]", show_default=False),
]


def promote(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    finalists: Annotated[int, typer.Option("--finalists", min=1, help="How many of its programs.")] = 3,
    baselines: BaselinesOption = None,
    games: GamesOption = None,
    horizons: HorizonsOption = None,
    iterations: IterationsOption = None,
    seed: SeedOption = None,
    workers: WorkersOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a campaign's best programs with the baselines on sealed test games. Every look is recorded.

    The test suite with exact payoffs, and freshly drawn copies of large games with perturbed ones, at several
    horizons; checks on the training games: payoffs scaled, perturbed a little and a lot. The whole takes minutes.

    Example: evolve promote cfr-symbolic-s0 --games kuhn4,goofspiel5 --horizons 300
    """
    import os

    from evolve.comparison import held_out
    from results.store import open_store

    choice = held_out.Choice(
        finalists=finalists,
        baselines=split(baselines) or (),
        games=split(games) or (),
        horizons=_numbers(horizons),
        iterations=iterations,
        seed=seed,
        workers=workers or len(os.sched_getaffinity(0)),
    )
    with open_store(database(db), create=False) as store, progress(quiet=as_json) as told:
        found = held_out.promote(store, campaign, choice, progress=told)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | _everything(found))
    else:
        _print(found)


def _numbers(text: str | None) -> list[int]:
    from evolve.errors import ConfigError

    numbers = split(text) or []
    if not all(part.isdecimal() and int(part) > 0 for part in numbers):
        raise ConfigError(f"--horizons: expected whole numbers such as 300,1000; got {text!r}.")
    return [int(part) for part in numbers]


def _everything(found: Promotion) -> dict[str, Any]:
    from evolve.comparison.verdicts import as_json, pair, verdict

    finalists, baselines = _sides(found)
    return as_json(found) | {
        "verdicts": [vars(verdict(found, c)) for c in found.contenders],
        "pairs": [vars(pair(found, f, b)) for f in finalists for b in baselines],
    }


def _sides(found: Promotion) -> tuple[list[Contender], list[Contender]]:
    """Finalists and baselines."""
    return (
        [c for c in found.contenders if c.ordinal is not None],
        [c for c in found.contenders if c.ordinal is None],
    )


def _print(found: Promotion) -> None:
    from evolve.cli.tables import print_whole
    from evolve.comparison.verdicts import horizon

    out = console()
    finalists, _ = _sides(found)
    out.print(f"Finalists of [bold]{found.campaign}[/bold], on games that the search has not seen:\n")
    for c in finalists:
        out.print(f"  {c.name:<6} {c.program_id[:10]}")
    for k in found.horizons:
        out.print(f"\nExploitability (NashConv / N) after {k} iterations; ~ has freshly perturbed payoffs:\n")
        print_whole(out, _games_table(found, k))
    near = horizon(found)
    out.print(
        f"\n{found.objective}: training games after {found.iterations} iterations, sealed ones after {near}:\n"
    )
    print_whole(out, _summary_table(found))
    out.print(
        "gap: training less test, to be read beside the baselines'. generic: what perturbing payoffs by ten percent "
        "costs; jitter: what perturbing them by 1e-9 changes; scale: what multiplying them by 0.1 or 10 changes."
    )
    out.print(f"\nIn pairs, over all sealed runs: mean difference in {found.objective} (wins-ties-losses):\n")
    print_whole(out, _pairs_table(found))
    _print_failures(out, found)
    sealed = sum(r.sealed for r in found.runs)
    out.print(
        f"Seed of the perturbed copies: {found.seed}. Looks at sealed games by this campaign: {found.looks}, "
        f"of which {sealed} now; all are recorded."
    )


def _games_table(found: Promotion, k: int) -> Table:
    from evolve.cli.tables import Entry, by_game
    from evolve.comparison.verdicts import mean_score

    runs = [r for r in found.runs if r.sealed and r.instance.iterations == k]
    rows = list(dict.fromkeys(_row(r) for r in sorted(runs, key=lambda r: r.instance.variant != "exact")))
    entries = []
    for c in found.contenders:
        own = [r for r in runs if r.program_id == c.program_id]
        values = {_row(r): r.exploitability for r in own if r.exploitability is not None}
        entries.append(Entry(c.name, mean_score(own), values, highlight=c.ordinal is not None))
    return by_game(entries, rows, objective=found.objective)


def _row(run: Run) -> str:
    """A game's name in a table: long OpenSpiel strings are cut to their kind."""
    name = run.instance.game.partition("(")[0]
    return name if run.instance.variant == "exact" else f"~{name}"


def _summary_table(found: Promotion) -> Table:
    from evolve.cli.tables import plain_table
    from evolve.comparison.verdicts import verdict

    columns = ("training", "test", "gap", "drawn", "generic", "jitter", "scale")
    shown = ("training ↑", "test ↑", "gap", "~drawn ↑", "generic", "jitter", "scale")
    table = plain_table("program", right=shown)
    for c in found.contenders:
        values = [getattr(verdict(found, c), name) for name in columns]
        cells = ["-" if v is None else f"{v:.3f}" for v in values]
        table.add_row(c.name, *cells, style="green" if c.ordinal is not None else "")
    return table


def _pairs_table(found: Promotion) -> Table:
    from evolve.cli.tables import plain_table
    from evolve.comparison.verdicts import pair

    finalists, baselines = _sides(found)
    table = plain_table("finalist", right=[b.name for b in baselines])
    for f in finalists:
        pairs = [pair(found, f, b) for b in baselines]
        cells = ["-" if p.mean is None else f"{p.mean:+.2f} ({p.wins}-{p.ties}-{p.losses})" for p in pairs]
        table.add_row(f.name, *cells)
    return table


def _print_failures(out: Console, found: Promotion) -> None:
    names = {c.program_id: c.name for c in found.contenders}
    for r in found.runs:
        if r.outcome != "ok":
            out.print(f"{names[r.program_id]} ended as {r.outcome} on {r.instance.name}.", markup=False)
