"""Prompts: what a search has seen, rendered by the templates of its domain.

Everything that programs wrote or printed is capped, stripped of control characters and marked as data.
"""

from __future__ import annotations

import random
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluators.records import Candidate, Curve, Evaluation, Score, Tag
from evaluators.task_domain import TaskDomain
from evolve.errors import ConfigError
from evolve.models.base import Message
from evolve.operators.base import Context
from evolve.prompting import digest
from evolve.search.log import LogView
from results import text

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MAX_SOURCE = 20_000
_ASCII_CONTROLS = dict.fromkeys({*range(32), 127} - set(map(ord, "\n\t")))
_REMOVED, _BEST = 8, 12


class _Row(NamedTuple):
    """A program's scores: of the objective, and of each family."""

    name: str
    score: float
    parts: Mapping[str, float]


class _Behind(NamedTuple):
    """The family on which the parent is furthest behind, by what it and the best program there score."""

    task: str
    own: float
    best: float
    name: str


class Prompter:
    """Renders the prompts of one domain.

    Args:
        domain: whose templates and words are used.
        families: of the tasks that the search is scored on.
        objective: name of the score.
        examples: prior programs to show beside the parent.

    Raises:
        ConfigError: there are no templates for the domain.
    """

    def __init__(self, domain: TaskDomain, *, families: Sequence[str], objective: str, examples: int) -> None:
        self._environment = environment(domain)
        self._environment.globals["metric"] = domain.metric
        self._families, self._objective, self._examples = list(families), objective, examples
        self._system = self._template(f"{domain.name}/system.md.j2").render(
            tasks=self._families, components=[c.name for c in domain.components], objective=objective
        )
        shared = (self._template(f"shared/{name}.md.j2") for name in ("propose", "crossover", "repair"))
        self._propose, self._merge, self._repair = shared
        self._cards = [f["text"] for f in _read_focus(domain) for _ in range(f.get("cards", 1))]
        self._templates = {card: self._environment.from_string(card) for card in self._cards}

    def _template(self, name: str) -> Template:
        from jinja2 import TemplateNotFound

        try:
            return self._environment.get_template(name)
        except TemplateNotFound as error:
            raise _missing(name) from error

    def first(self, parent: Candidate, context: Context, rng: random.Random) -> tuple[Message, ...]:
        """Return the conversation that asks for a child of `parent`."""
        log = context.log
        examples = self._choose_examples(parent, log, rng)
        own_row = self._row("the parent", parent.scores)
        baselines = [self._row(name, e.scores) for name, e in context.baselines.items() if e.scores]
        rows = [*baselines, *(self._row(f"candidate {c.ordinal}", c.scores) for c in examples), own_row]
        earlier = self._row("an earlier candidate", {name: Score(best) for name, best in log.parts.items()})
        behind = _behind(own_row, [*baselines, earlier])
        text = self._propose.render(
            objective=self._objective,
            tasks=self._families,
            rows=sorted(rows, key=lambda row: row.score),
            examples=self._shown(examples, parent),
            tried=self._tried(parent, log),
            parent={
                "score": own_row.score,
                "behind": behind,
                "curves": self._curves(parent, examples[:1], context),
                "source": parent.source,
            },
            focus=self._draw_focus(behind, context, rng),
        )
        return (Message("system", self._system), Message("user", _tidy(text)))

    def merge(self, first: Candidate, second: Candidate, context: Context) -> tuple[Message, ...]:
        """Return the conversation that asks for a child of two parents; the answer changes the first."""
        baselines = [self._row(name, e.scores) for name, e in context.baselines.items() if e.scores]
        parents = [self._row("the first parent", first.scores), self._row("the second parent", second.scores)]
        own, other = (row.parts for row in parents)
        both = [family for family in own if family in other]
        text = self._merge.render(
            objective=self._objective,
            tasks=self._families,
            rows=sorted([*baselines, *parents], key=lambda row: row.score),
            first={"source": first.source, "better": [f for f in both if own[f] > other[f]]},
            second={"source": second.source, "better": [f for f in both if other[f] > own[f]]},
            failures=digest.failures(first, context.log),
        )
        return (Message("system", self._system), Message("user", _tidy(text)))

    def repair(self, problem: str, *, patched: bool) -> Message:
        """What a model is told when its answer failed; `patched`: it applied, but its program failed screening."""
        return Message("user", _tidy(self._repair.render(problem=problem, patched=patched)))

    def _row(self, name: str, scores: Mapping[str, Score]) -> _Row:
        prefix = f"{self._objective}/"
        parts = {k.removeprefix(prefix): score.mean for k, score in scores.items() if k.startswith(prefix)}
        return _Row(name, scores[self._objective].mean if self._objective in scores else 0.0, parts)

    def _choose_examples(self, parent: Candidate, log: LogView, rng: random.Random) -> list[Candidate]:
        """Return the best program and some drawn of the better half, at most a dozen; never the parent, none twice."""
        ranked = [c for c in log.best if c.program_id != parent.program_id]
        if not ranked or not self._examples:
            return []
        half = max(self._examples, log.outcomes.get(Tag.OK.value, 0) // 2)
        rest = ranked[1 : min(half, _BEST)]
        return [ranked[0], *rng.sample(rest, min(self._examples - 1, len(rest)))]

    def _shown(self, examples: Sequence[Candidate], parent: Candidate) -> list[dict[str, Any]]:
        """Return programs, worst to best; of each what neither the parent has nor one shown before."""
        sources, shown = {"the parent": parent.source}, []
        for candidate in sorted(examples, key=lambda c: c.mean(self._objective)):
            text, same = digest.differing(candidate.source, sources)
            name, score = f"candidate {candidate.ordinal}", candidate.mean(self._objective)
            sources[name] = candidate.source
            shown.append({"name": name, "score": score, "source": text, "same": same})
        return shown

    def _curves(self, parent: Candidate, best: Sequence[Candidate], context: Context) -> list[dict[str, Any]]:
        """Return rows for the parent and for the best other program, a candidate or a baseline."""
        others = [(name, e) for name, e in context.baselines.items() if e.scores]
        others += [(f"candidate {c.ordinal}", c.evaluation) for c in best if c.evaluation]
        shown = {"the parent": _first_curves(parent.evaluation)}
        if others:
            name, evaluation = max(others, key=lambda other: other[1].scores[self._objective].mean)
            shown[name] = _first_curves(evaluation)
        return digest.thinned(shown)

    def _tried(self, parent: Candidate, log: LogView) -> dict[str, Any]:
        return {
            "total": sum(log.outcomes.values()) if log.best else 0,
            "outcomes": digest.outcomes(log),
            "best": log.best[0].mean(self._objective) if log.best else 0.0,
            "way": digest.way(parent, log),
            "children": digest.children(parent, log),
            "ideas": digest.ideas(parent, log),
            "failures": digest.failures(parent, log),
            "removed": digest.removed_lines(parent, log)[:_REMOVED],
        }

    def _draw_focus(self, behind: _Behind | None, context: Context, rng: random.Random) -> str:
        """The card of this candidate, of a deck that is shuffled anew when it is used up.

        Drawn with replacement, candidates that are asked for at the same moment would often get the same prompt.
        """
        cards = tuple(
            text
            for text in self._cards
            if (behind or "{{ task }}" not in text) and (context.mechanisms or "{{ mechanism }}" not in text)
        )
        turn, place = divmod(context.ordinal, len(cards))
        card = _shuffled(cards, turn)[place]
        mechanism = rng.choice(context.mechanisms) if context.mechanisms else None
        idea = f"{mechanism.name.replace('_', ' ')}, which {mechanism.summary}" if mechanism else ""
        return self._templates[card].render(task=behind.task if behind else "", mechanism=idea)


def _first_curves(evaluation: Evaluation | None) -> Mapping[str, Curve]:
    """Return the curve of every family's first task, where the evaluation was run to its end."""
    if evaluation is None or not evaluation.outcome.ok:
        return {}
    curves: dict[str, Curve] = {}
    for result in evaluation.results:
        curves.setdefault(result.task.group, result.curve)
    return curves


def _behind(parent: _Row, known: Sequence[_Row]) -> _Behind | None:
    """Return the family on which the parent is furthest behind the best program known there; None when on none."""
    own = parent.parts
    behind = [
        _Behind(family, own[family], value, row.name)
        for row in known
        for family, value in row.parts.items()
        if value > own.get(family, value)
    ]
    return max(behind, key=lambda b: (b.best - b.own, b.task), default=None)


@lru_cache(maxsize=8)
def _shuffled(cards: tuple[str, ...], turn: int) -> Sequence[str]:
    deck = list(cards)
    random.Random(f"focus {turn}").shuffle(deck)
    return deck


def _missing(name: str) -> ConfigError:
    return ConfigError(
        f"operator llm: expected the prompt template prompts/{name}; there is none.",
        "Choose --operator symbolic, or write the templates of this domain.",
    )


def _read_focus(domain: TaskDomain) -> list[Mapping[str, Any]]:
    """Return the domain's pool of sentences that say what a step is to look at."""
    try:
        text = (domain.resources("prompts") / "focus.toml").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _missing(f"{domain.name}/focus.toml") from error
    pool: list[Mapping[str, Any]] = tomllib.loads(text)["focus"]
    return pool


def environment(domain: TaskDomain | None = None) -> Environment:
    """Return the templates' environment: undefined names are errors, nothing is escaped (this is no HTML)."""
    from jinja2 import (
        ChoiceLoader,
        Environment,
        FileSystemLoader,
        PackageLoader,
        PrefixLoader,
        StrictUndefined,
    )

    loader: Any = PackageLoader("prompts", "")
    if domain is not None and domain.folder is not None:
        own = FileSystemLoader(domain.folder / "prompts")
        loader = ChoiceLoader([PrefixLoader({domain.name: own}), loader])
    made = Environment(
        loader=loader, undefined=StrictUndefined, keep_trailing_newline=False, auto_reload=False
    )
    made.filters |= {"line": line, "fenced": fenced, "plain": plain}
    return made


def plain(text: str, limit: int) -> str:
    """A text without control characters and without the marks of data, at most `limit` characters long."""
    kept = text.translate(_ASCII_CONTROLS)
    if not kept.isascii():
        kept = "".join(
            c for c in kept if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
        )
    kept = re.sub(r"</?\s*data\s*>", "", kept, flags=re.IGNORECASE).strip()
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


@lru_cache(maxsize=2048)
def line(text: str, limit: int) -> str:
    """Something that a program or a model wrote, as one plain line."""
    return plain(" ".join(text.split()), limit)


@lru_cache(maxsize=512)
def fenced(source: str) -> str:
    """A program in a fence that it cannot close."""
    return text.fenced(plain(source, MAX_SOURCE), "python")


def _tidy(text: str) -> str:
    """At most one blank line in a row, outside of programs too: templates leave more."""
    return re.sub(r"\n{4,}", "\n\n\n", text).strip() + "\n"
