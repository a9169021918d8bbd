"""``evolve results calls``: what models were asked, what they answered and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from evolve.cli.models import models_table
from evolve.cli.output import SCHEMA_VERSION, DbOption, JsonOption, console, database, print_json
from evolve.cli.tables import plain_table
from results.text import visible

if TYPE_CHECKING:
    from results.records import CallRecord, ModelShare


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
    from results.store import open_store

    name, colon, word = campaign.rpartition(":")
    one = bool(colon) and (word.isdecimal() or word == BEST)
    with open_store(database(db), create=False, read_only=True) as store:
        ordinal = None if not one else best(store, name).ordinal if word == BEST else int(word)
        asked = calls_of(store, name if one else campaign, ordinal)
        if ordinal is not None and not asked:
            check_candidate(store, name, ordinal)
        shares = [] if one else model_report(store, campaign)
    if as_json:
        models = {} if one else {"models": [share.as_dict() for share in shares]}
        listed = {"campaign": campaign, "calls": [_plain(c) for c in asked]}
        print_json({"schema_version": SCHEMA_VERSION} | listed | models)
    elif one:
        _print_conversation(asked)
        if not asked:
            console().print(f"Candidate {ordinal} of {name} asked no model.", markup=False)
    else:
        _print_table(asked, shares)


def _plain(call: CallRecord) -> dict[str, Any]:
    fields = vars(call) | {"messages": [{"role": role, "text": text} for role, text in call.messages]}
    return {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in fields.items()}


def _print_table(asked: Sequence[CallRecord], shares: Sequence[ModelShare]) -> None:
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
