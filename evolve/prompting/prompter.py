"""Prompts: what a search has seen, rendered by the templates of its domain.

Everything that programs wrote or printed is capped, stripped of control characters and marked as data.
"""

from __future__ import annotations

import random
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from evaluators.base import Tag
from evolve.errors import ConfigError
from evolve.models.base import Message
from evolve.operators.base import Context, Parent
from evolve.prompting.changes import removed_lines, what_changed
from evolve.prompting.record import Record, Scored, Tried

if TYPE_CHECKING:
    from jinja2 import Environment, Template

MAX_SOURCE = 20_000
_CHILDREN, _FAILURES, _REMOVED, _BEST = 8, 3, 12, 12
_CURVE_POINTS = 6


class Prompter:
    """Renders the prompts of one domain.

    Args:
        domain: its name; templates are in the folder of this name under ``prompts/``.
        games: names of the training games.
        components: names of the evolvable classes.
        objective: name of the score.
        examples: prior programs to show beside the parent.

    Raises:
        ConfigError: there are no templates for the domain.
    """

    def __init__(
        self, domain: str, *, games: Sequence[str], components: Sequence[str], objective: str, examples: int
    ) -> None:
        self._environment = environment()
        self._games, self._objective, self._examples = list(games), objective, examples
        self._system = self._template(f"{domain}/system.md.j2").render(
            games=self._games, components=list(components), objective=objective
        )
        self._propose = self._template(f"{domain}/propose.md.j2")
        self._repair = self._template("shared/repair.md.j2")
        self._focus: list[Mapping[str, Any]] = _read_focus(domain)

    def _template(self, name: str) -> Template:
        from jinja2 import TemplateNotFound

        try:
            return self._environment.get_template(name)
        except TemplateNotFound as error:
            raise _missing(name) from error

    def first(self, parent: Parent, context: Context, rng: random.Random) -> tuple[Message, ...]:
        """The conversation that asks for a child of `parent`."""
        record = context.record
        known = {t.program_id: t for t in record.tried if t.ok}
        own = known.get(parent.program_id)
        curves = own.scored.curves if own else {}
        scored = Scored(parent.objectives, curves)
        examples = self._choose_examples(parent, record, rng)
        rows = [self._row(name, s) for name, s in record.baselines.items() if s.objectives]
        rows += [self._row(f"candidate {t.ordinal}", t.scored) for t in examples]
        rows.append(self._row("the parent", scored))
        rows.sort(key=lambda row: row["score"])
        weakest = self._weakest(scored, record)
        text = self._propose.render(
            objective=self._objective,
            games=self._games,
            rows=rows,
            examples=[
                {"ordinal": t.ordinal, "score": t.scored.objectives[self._objective], "source": t.source}
                for t in sorted(examples, key=lambda t: t.scored.objectives[self._objective])
            ],
            tried=self._tried(parent, record),
            failures=_failures(parent, record),
            parent={
                "score": parent.objectives.get(self._objective, 0.0),
                "weakest": f"It is weakest on {weakest}." if weakest else "",
                "curves": _thinned(curves),
                "source": parent.source,
            },
            focus=self._draw_focus(weakest, context, rng),
        )
        return (Message("system", self._system), Message("user", _tidy(text)))

    def repair(self, problem: str, *, patched: bool) -> Message:
        """What a model is told when its answer failed; `patched`: it applied, but its program failed screening."""
        return Message("user", _tidy(self._repair.render(problem=problem, patched=patched)))

    def _row(self, name: str, scored: Scored) -> dict[str, Any]:
        prefix = f"{self._objective}/"
        parts = {k.removeprefix(prefix): v for k, v in scored.objectives.items() if k.startswith(prefix)}
        return {"name": name, "score": scored.objectives.get(self._objective, 0.0), "parts": parts}

    def _choose_examples(self, parent: Parent, record: Record, rng: random.Random) -> list[Tried]:
        """The best program, and others drawn from the best dozen; never the parent, no program twice."""
        others = {t.program_id: t for t in record.tried if t.ok and t.program_id != parent.program_id}
        ranked = sorted(others.values(), key=lambda t: (-t.scored.objectives[self._objective], t.ordinal))
        if not ranked or not self._examples:
            return []
        rest = ranked[1:_BEST]
        return [ranked[0], *rng.sample(rest, min(self._examples - 1, len(rest)))]

    def _weakest(self, parent: Scored, record: Record) -> str:
        """The game on which the parent is furthest behind the best program known there; "" when on none."""
        own = self._row("", parent)["parts"]
        best = dict(own)
        for scored in [*record.baselines.values(), *(t.scored for t in record.tried if t.ok)]:
            for game, value in self._row("", scored)["parts"].items():
                best[game] = max(best.get(game, value), value)
        behind = {game: best[game] - own[game] for game in own}
        return max(sorted(behind), key=lambda game: behind[game]) if behind else ""

    def _tried(self, parent: Parent, record: Record) -> dict[str, Any]:
        children = [t for t in record.tried if t.parents[:1] == (parent.program_id,)][-_CHILDREN:]
        base = parent.objectives.get(self._objective, 0.0)
        ok = [t.scored.objectives[self._objective] for t in record.tried if t.ok]
        counts = Counter(t.outcome.tag.value for t in record.tried)
        return {
            "total": len(record.tried) if ok else 0,
            "outcomes": ", ".join(f"{count} {tag}" for tag, count in counts.most_common()),
            "best": max(ok, default=0.0),
            "children": [
                {
                    "result": f"{t.scored.objectives[self._objective] - base:+.3f}"
                    if t.ok
                    else t.outcome.tag.value,
                    "change": t.note or what_changed(parent.source, t.source),
                }
                for t in children
            ],
            "removed": removed_lines(parent.program_id, record.tried, self._objective)[:_REMOVED],
        }

    def _draw_focus(self, game: str, context: Context, rng: random.Random) -> str:
        pool = [f for f in self._focus if game or "{{ game }}" not in f["text"]]
        if not context.mechanisms:
            pool = [f for f in pool if "{{ mechanism }}" not in f["text"]]
        drawn = rng.choices(pool, [f["weight"] for f in pool])[0]
        mechanism = rng.choice(context.mechanisms) if context.mechanisms else None
        idea = f"{mechanism.name.replace('_', ' ')}, which {mechanism.summary}" if mechanism else ""
        return self._environment.from_string(drawn["text"]).render(game=game, mechanism=idea)


def _missing(name: str) -> ConfigError:
    return ConfigError(
        f"operator llm: expected the prompt template prompts/{name}; there is none.",
        "Choose --operator symbolic, or write the templates of this domain.",
    )


def _read_focus(domain: str) -> list[Mapping[str, Any]]:
    """The domain's pool of sentences that say what a step is to look at."""
    name = f"{domain}/focus.toml"
    try:
        text = (files("prompts") / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _missing(name) from error
    pool: list[Mapping[str, Any]] = tomllib.loads(text)["focus"]
    return pool


def environment() -> Environment:
    """The templates' environment: undefined names are errors, nothing is escaped (this is no HTML)."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("prompts", ""), undefined=StrictUndefined, keep_trailing_newline=False
    )
    made.filters |= {"data": as_data, "fenced": fenced, "plain": plain}
    return made


def plain(text: str, limit: int) -> str:
    """A text without control characters and without the marks of data, at most `limit` characters long."""
    kept = "".join(
        c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    kept = re.sub(r"</?\s*data\s*>", "", kept, flags=re.IGNORECASE).strip()
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def as_data(text: str, limit: int) -> str:
    """One line of something that a program wrote, marked as data."""
    return f"<data>{plain(' '.join(text.split()), limit)}</data>"


def fenced(source: str) -> str:
    """A program in a fence that it cannot close."""
    text = plain(source, MAX_SOURCE)
    marks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{marks}python\n{text}\n{marks}"


def _failures(parent: Parent, record: Record) -> list[dict[str, str]]:
    """The last failures of the parent's children, filled up with those of others; each message once."""
    failed = [
        t for t in reversed(record.tried) if t.outcome.tag not in (Tag.OK, Tag.EARLY_STOPPED, Tag.DUPLICATE)
    ]
    failed.sort(key=lambda t: t.parents[:1] != (parent.program_id,))
    found: dict[str, dict[str, str]] = {}
    for t in failed:
        found.setdefault(t.outcome.message, {"outcome": t.outcome.tag.value, "message": t.outcome.message})
    return list(found.values())[:_FAILURES]


def _thinned(curves: Mapping[str, Sequence[tuple[int, float]]]) -> list[dict[str, Any]]:
    """Each game's curve at a few of its checkpoints, the last one included; one set of iterations for all."""
    if not curves:
        return []
    common = sorted(set.intersection(*({k for k, _ in points} for points in curves.values())))
    chosen = common[-1 :: -max(1, -(-len(common) // _CURVE_POINTS))][::-1]
    return [
        {"game": game, "points": [(k, e) for k, e in points if k in chosen]}
        for game, points in curves.items()
    ]


def _tidy(text: str) -> str:
    """At most one blank line in a row, outside of programs too: templates leave more."""
    return re.sub(r"\n{4,}", "\n\n\n", text).strip() + "\n"
