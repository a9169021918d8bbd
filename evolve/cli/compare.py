"""``evolve results diff`` and ``lineage``: what a program changed, and its ancestors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, console, database, metric_json, print_json
from evolve.cli.tables import difference, score_text
from evolve.errors import ConfigError
from results.text import unified, visible

if TYPE_CHECKING:
    from evolve.programs import Program
    from results.lineage import Lineage, Step

ProgramArgument = Annotated[
    str,
    typer.Argument(
        help="Id of a stored program (four characters or more), campaign:ordinal or campaign:best."
    ),
]


def diff(
    program: Annotated[
        str, typer.Argument(help="Id of a stored program, campaign:ordinal, a file or a seed's name.")
    ],
    other: Annotated[
        str | None, typer.Argument(help="The program to compare with. [default: its first parent]")
    ] = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a program changed against its first parent, or what PROGRAM has that OTHER has not.

    Example: evolve results diff cfr-symbolic-s0:best cfr_plus
    """
    from evolve.programs import find_program

    where = database(db)
    new = find_program(program, db=where)
    old = find_program(other if other is not None else _first_parent(program, where), db=where)
    text = unified(old.source, new.source, _label(old), _label(new))
    if as_json:
        print_json(
            {"schema_version": SCHEMA_VERSION, "from": _identity(old), "to": _identity(new), "diff": text}
        )
        return
    print_diff(text or f"{_label(old)} and {_label(new)} are the same.\n")


def lineage(
    program: ProgramArgument,
    with_diffs: Annotated[
        bool, typer.Option("--diff", help="Show each step's change of the source too.")
    ] = False,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a program's ancestors: first parents from the seed on, with each step's score and change.

    Example: evolve results lineage cfr-symbolic-s0:best
    """
    from results.lineage import lineage as find
    from results.store import open_store

    with open_store(database(db), create=False, read_only=True) as store:
        ancestors = find(store, program)
        record = store.find_campaign(ancestors.campaign)
    assert record is not None
    diffs = _step_diffs(ancestors)
    if as_json:
        head = {"schema_version": SCHEMA_VERSION, "campaign": ancestors.campaign}
        about = {"metric": metric_json(record.metric), "objective": ancestors.objective}
        steps = [dict(vars(step)) | {"diff": text} for step, text in zip(ancestors.steps, diffs, strict=True)]
        for step in steps:
            del step["source"]
        print_json(head | about | {"steps": steps})
        return
    _print_tree(ancestors, diffs, with_diffs=with_diffs)


def print_diff(text: str) -> None:
    """Print a unified diff, in colours on a terminal and plain elsewhere, without a program's control characters."""
    out, text = console(), visible(text)
    if not out.is_terminal:
        print(text, end="")
        return
    from rich.syntax import Syntax

    out.print(Syntax(text, "diff", background_color="default", word_wrap=True))


def _first_parent(ref: str, where: str) -> str:
    from results.programs import program
    from results.store import open_store

    with open_store(where, create=False, read_only=True) as store:
        details = program(store, ref)
    parents = [origin.parents[0] for origin in details.origins if origin.parents]
    if not parents:
        raise ConfigError(
            f"diff: expected a program with a parent; {ref!r} is what its search started from.",
            f"Name the program to compare with: evolve results diff {ref} OTHER",
        )
    return parents[0]


def _label(program: Program) -> str:
    return f"{program.name} ({program.id[:10]})"


def _identity(program: Program) -> dict[str, str]:
    return {"id": program.id, "name": program.name}


def _step_diffs(ancestors: Lineage) -> list[str]:
    """Return, for each step, what it changed in the one before; "" for the first."""
    pairs = zip(ancestors.steps, ancestors.steps[1:], strict=False)
    changes = [
        unified(a.source, b.source, f"candidate {a.ordinal}", f"candidate {b.ordinal}") for a, b in pairs
    ]
    return ["", *changes]


def _print_tree(ancestors: Lineage, diffs: list[str], *, with_diffs: bool) -> None:
    from rich.syntax import Syntax

    out = console()
    objective = f"{ancestors.objective} (larger is better)"
    tree = Tree(f"[bold]{escape(ancestors.campaign)}[/bold], {escape(objective)}")
    before: float | None = None
    for step, text in zip(ancestors.steps, diffs, strict=True):
        branch = tree.add(escape(visible(_headline(step, before, text))))
        for change in filter(None, step.note.split("; ")):
            branch.add(escape(visible(change)))
        for parent in step.others:
            branch.add(f"also from {parent[:10]}")
        if with_diffs and text:
            shown = visible(text)
            branch.add(
                Syntax(shown, "diff", background_color="default") if out.is_terminal else escape(shown)
            )
        before = step.score
    out.print(tree)


def _headline(step: Step, before: float | None, text: str) -> str:
    shown = step.outcome or "undecided"
    if step.score is not None:
        change = "" if before is None else f" ({difference(step.score - before)})"
        shown = score_text(step.score) + change
    lines = text.splitlines()[2:]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    size = f", {added} lines added, {removed} removed" if text else ""
    return f"{shown}  {step.program_id[:10]}, candidate {step.ordinal} by {step.name or step.operator}{size}"
