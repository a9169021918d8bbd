"""``evolve results``: campaigns, their programs with ancestors and changes, and their calls to models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.tree import Tree

from evaluators.records import Metric, Tag
from evolve.cli.output import (
    DbOption,
    JsonOption,
    console,
    database,
    metric_json,
    open_results,
    print_json,
    print_log,
    program_json,
    task_json,
)
from evolve.cli.tables import difference, models_table, plain_table, score_text, tasks_table
from evolve.errors import ConfigError
from results.errors import UnknownNameError
from results.records import CallRecord, ModelShare, StoredEvaluation
from results.text import unified, visible

if TYPE_CHECKING:
    from evolve.programs import Program
    from results.lineage import Lineage, Step
    from results.programs import ProgramDetails
    from results.store import Store

ProgramArgument = Annotated[
    str,
    typer.Argument(
        help="Id of a stored program (four characters or more), campaign:ordinal or campaign:best."
    ),
]

app = typer.Typer(no_args_is_help=True, help="Look at campaigns and programs in the results database.")


@app.command()
def campaigns(db: DbOption = None, as_json: JsonOption = False) -> None:
    """List all campaigns with their state and best score.

    Example: evolve results campaigns
    """
    from results import queries

    with open_results(db) as store:
        listed = queries.campaigns(store)
    if as_json:
        print_json({"campaigns": [vars(c) | {"metric": metric_json(c.metric)} for c in listed]})
        return
    table = plain_table("campaign", "domain", "status", "created", right=["candidates", "best", "CPU s"])
    for c in listed:
        numbers = str(c.candidates), score_text(c.best), f"{c.cpu_s:.0f}"
        table.add_row(escape(c.name), c.domain, c.status, f"{c.created_at:%Y-%m-%d %H:%M}", *numbers)
    console().print(table)


@app.command()
def top(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    objective: Annotated[
        str | None, typer.Option(help="What ranks them. [default: the campaign's own]")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 10,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the best programs of a campaign.

    Example: evolve results top cfr-symbolic-s0 -n 5
    """
    from results import queries

    with open_results(db) as store, store.reading_campaign(campaign) as (_, record):
        listed = queries.top(store, campaign, objective, n=n)
    ranks_by = objective or record.objective
    if as_json:
        head = {"campaign": campaign, "metric": metric_json(record.metric)}
        print_json(head | {"objective": ranks_by, "programs": listed})
        return
    table = plain_table("program", right=["candidate", f"{ranks_by} ↑"])
    table.add_column("operator")
    table.add_column("last change", overflow="fold")
    for c in listed:
        value = score_text(c.scores[ranks_by])
        table.add_row(c.program_id[:10], str(c.ordinal), value, c.operator, escape(visible(c.note)))
    console().print(table)


@app.command()
def show(
    program: ProgramArgument,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a program: source, scores, where it is from. Of a candidate that the engine failed on, the traceback.

    Example: evolve results show cfr-symbolic-s0:0
    """
    from results.programs import program as details_of

    with open_results(db) as store:
        traceback = _traceback(store, program)
        try:
            details = details_of(store, program)
        except UnknownNameError:
            if not traceback:
                raise
            details = None
        campaigns = [store.find_campaign(name) for name, _ in details.evaluations] if details else []
    if as_json:
        known = details_json(details) if details else {"candidate": program}
        print_json(known | ({"traceback": traceback} if traceback else {}))
        return
    if details:
        _print_details(details, {record.name: record.metric for record in campaigns if record})
    if traceback:
        print(f"The engine failed on {program}:\n{visible(traceback)}")


def _traceback(store: Store, ref: str) -> str:
    """Return the traceback of an engine_error that was stored for campaign:ordinal, "" where there is none."""
    from results.queries import events

    campaign, _, ordinal = ref.rpartition(":")
    if not (campaign and ordinal.isdecimal()):
        return ""
    of_ours = (event for event in events(store, campaign) if event.kind == Tag.ENGINE_ERROR)
    return next((str(e.payload["log"]) for e in of_ours if e.payload["ordinal"] == int(ordinal)), "")


def _print_details(details: ProgramDetails, metrics: Mapping[str, Metric]) -> None:
    out = console()
    out.print(f"[bold]{details.program.id}[/bold] {escape(details.program.name)}")
    for origin in details.origins:
        parents = ", ".join(p[:10] for p in origin.parents)
        made = f"{origin.operator} from {parents}" if parents else origin.operator
        ended = f"{origin.outcome}: {origin.message}" if origin.message else str(origin.outcome)
        line = f"candidate {origin.ordinal} of {origin.campaign}, by {made}; {ended}"
        out.print(escape(visible(line)))
        for change in filter(None, origin.note.split("; ")):
            out.print(escape(visible(f"  {change}")))
    out.print()
    _print_code(f"{details.program.source}\n", "python")
    for campaign, stored in details.evaluations:
        _print_evaluation(campaign, stored, metrics[campaign])


def _print_evaluation(campaign: str, stored: StoredEvaluation, metric: Metric) -> None:
    out, evaluation = console(), stored.evaluation
    ended = (
        f"{evaluation.outcome.tag.value}, isolation {evaluation.isolation}, {evaluation.cost.cpu_s:.1f} CPU s"
    )
    out.print(f"{campaign}, plan {stored.plan}: {ended}", markup=False)
    if evaluation.results:
        out.print(tasks_table(metric, evaluation.results))
    whole = {name: one for name, one in evaluation.scores.items() if "/" not in name}
    for name, one in whole.items():
        out.print(f"  {name} {score_text(one)}", markup=False)
    print_log(evaluation)


def details_json(details: ProgramDetails) -> dict[str, Any]:
    """Return everything known of a program, as ``show --json`` and ``export --format json`` have it."""
    return {
        "program": {"id": details.program.id, "name": details.program.name, "source": details.program.source},
        "origins": details.origins,
        "children": [c._asdict() for c in details.children],
        "evaluations": [_evaluation_json(campaign, stored) for campaign, stored in details.evaluations],
    }


def _evaluation_json(campaign: str, stored: StoredEvaluation) -> dict[str, Any]:
    evaluation = stored.evaluation
    return {
        "campaign": campaign,
        "plan": stored.plan,
        "ordinal": stored.ordinal,
        "outcome": evaluation.outcome,
        "isolation": evaluation.isolation,
        "scores": evaluation.scores,
        "tasks": [task_json(result) for result in evaluation.results],
        "log": evaluation.log,
    }


@app.command()
def calls(
    campaign: Annotated[
        str, typer.Argument(help="Name of the campaign; campaign:ordinal or campaign:best for one candidate.")
    ],
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the calls to models, and what each model contributed; for one candidate, show prompts and answers.

    Example: evolve results calls cfr-llm-s0:3
    """
    from results.programs import BEST, best, check_candidate
    from results.progress import model_report
    from results.queries import calls as calls_of

    name, colon, word = campaign.rpartition(":")
    one = bool(colon) and (word.isdecimal() or word == BEST)
    with open_results(db) as store:
        ordinal = None if not one else best(store, name).ordinal if word == BEST else int(word)
        asked = calls_of(store, name if one else campaign, ordinal)
        if ordinal is not None and not asked:
            check_candidate(store, name, ordinal)
        shares = [] if one else model_report(store, campaign)
    if as_json:
        models = {} if one else {"models": [share.as_dict() for share in shares]}
        listed = {"campaign": campaign, "calls": [vars(c) | {"messages": _messages(c)} for c in asked]}
        print_json(listed | models)
    elif one:
        _print_conversation(asked)
        if not asked:
            console().print(f"Candidate {ordinal} of {name} asked no model.", markup=False)
    else:
        _print_calls(asked, shares)


def _messages(call: CallRecord) -> list[dict[str, str]]:
    return [{"role": role, "text": text} for role, text in call.messages]


def _print_calls(asked: Sequence[CallRecord], shares: Sequence[ModelShare]) -> None:
    table = plain_table("state", right=["candidate", "attempt", "tokens in", "out", "cost $", "s"])
    table.add_column("model", overflow="ellipsis", no_wrap=True)
    for call in asked:
        state = call.state if call.stop in ("", "end") else f"{call.state}: {call.stop}"
        numbers = (str(call.input_tokens), str(call.output_tokens), f"{call.cost_usd:.4f}")
        # What a failed call was expected to come to at most, it did not.
        numbers = ("-", "-", "-") if call.state == "failed" else numbers
        where, latency = (str(call.ordinal), str(call.attempt)), f"{call.latency_s:.1f}"
        table.add_row(state, *where, *numbers, latency, escape(call.model))
    paid = [c for c in asked if c.state in ("answered", "lost")]
    out = console()
    out.print(table)
    tokens_in, tokens_out = sum(c.input_tokens for c in paid), sum(c.output_tokens for c in paid)
    out.print(
        f"{len(asked)} calls, {tokens_in} tokens in, {tokens_out} out, ${sum(c.cost_usd for c in paid):.4f}"
        f" (lost calls at what they may have cost)."
    )
    if shares:
        out.print(models_table(shares))


def _print_conversation(asked: Sequence[CallRecord]) -> None:
    """Print prompts and answers in turn; what earlier attempts have shown is not repeated."""
    shown = 0
    for call in asked:
        for role, message in call.messages[shown:]:
            print(f"[{role}]\n{visible(message)}\n")
        shown = len(call.messages) + 1
        text = call.answer if call.state == "answered" else f"({call.state}: {call.message})"
        print(f"[answer {call.attempt}, {call.model}, {call.output_tokens} tokens]\n{visible(text)}\n")


@app.command()
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
        print_json({"from": program_json(old), "to": program_json(new), "diff": text})
        return
    _print_code(text or f"{_label(old)} and {_label(new)} are the same.\n", "diff")


@app.command()
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
    from results.lineage import lineage as ancestors_of

    with open_results(db) as store:
        ancestors = ancestors_of(store, program)
        record = store.find_campaign(ancestors.campaign)
    assert record is not None
    diffs = _step_diffs(ancestors)
    if as_json:
        about = {"campaign": ancestors.campaign, "metric": metric_json(record.metric)}
        steps = [
            {name: value for name, value in vars(step).items() if name != "source"} | {"diff": text}
            for step, text in zip(ancestors.steps, diffs, strict=True)
        ]
        print_json(about | {"objective": ancestors.objective, "steps": steps})
        return
    _print_tree(ancestors, diffs, with_diffs=with_diffs)


def _print_code(text: str, language: str) -> None:
    """Print a program or a diff, in colours on a terminal and plain elsewhere, without its control characters."""
    out, text = console(), visible(text)
    if out.is_terminal:
        from rich.syntax import Syntax

        out.print(Syntax(text, language, background_color="default", word_wrap=True))
    else:
        print(text, end="")


def _first_parent(ref: str, where: str) -> str:
    from results.programs import program

    with open_results(where) as store:
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
