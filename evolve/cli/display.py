"""What ``evolve run`` shows while it runs: a live panel on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from evaluators.records import Candidate, Score, Tag
from evolve.cli.output import console
from evolve.cli.tables import difference, score_text
from evolve.config import CampaignConfig
from evolve.search.events import (
    BaselineScored,
    Called,
    Comparing,
    Event,
    NewBest,
    Refined,
    Started,
    Told,
    Warned,
)
from results.text import count, plural, visible

_LINE_EVERY = 20
"""Without a terminal: candidates between two lines of progress."""


class Display:
    """Observer of a campaign that writes to standard error."""

    def __init__(self, config: CampaignConfig) -> None:
        self._config = config
        self._console = console(stderr=True)
        self._terminal = self._console.is_terminal
        self._total = config.candidates
        self._told = self._decided = self._valid = 0
        self._spent: tuple[float, int] | None = None
        self._best: Score | None = None
        self._best_ordinal: int | None = None
        self._baselines: dict[str, float] = {}
        self._bests: deque[str] = deque(maxlen=5)
        self._started_at = time.monotonic()
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}"),
            console=self._console,
        )
        self._task = self._progress.add_task("candidates", total=self._total, eta="")
        self._live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=4, transient=True
        )

    def __call__(self, event: Event) -> None:
        """Take note of an event and show it."""
        match event:
            case Started():
                self._start(event)
            case BaselineScored():
                self._add_baseline(event)
            case Told():
                self._add_candidate(event)
            case NewBest():
                self._add_best(event.candidate)
            case Refined():
                if event.candidate.ok and event.candidate.ordinal == self._best_ordinal:
                    self._best = event.candidate.scores[self._event.objective]
                self._say(f"refined #{event.candidate.ordinal:<4} {self._score(event.candidate)}")
            case Called():
                self._spent = (event.spent_usd, event.spent_tokens)
            case Warned():
                self._console.print(Text(visible(event.message), style="yellow"), soft_wrap=True)
            case Comparing():
                self._compare(event)

    def _compare(self, event: Comparing) -> None:
        if event.done == 1:
            tasks = plural(self._event.metric.task)
            self._say(f"comparing with every seed on {tasks} that the search did not see: {event.total} runs")
        self._progress.update(self._task, description="comparing")
        self._told, self._total, self._decided = event.done, event.total, 0

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live.is_started:
            self._live.stop()

    def _start(self, event: Started) -> None:
        self._event = event
        self._total, self._told = event.candidates, event.told
        if event.best is not None:
            self._best = event.best
        self._started_at = time.monotonic()
        verb = f"continues after {event.told} candidates" if event.told else "starts"
        self._console.print(
            f"Campaign [bold]{escape(event.campaign)}[/bold] {verb}: {event.candidates} candidates on "
            f"{escape(', '.join(event.tasks))}; {count(event.workers, 'worker')}, isolation {event.isolation}.",
            soft_wrap=not self._terminal,
        )
        if self._terminal:
            self._live.start()

    def _add_baseline(self, event: BaselineScored) -> None:
        own = event.evaluation.scores.get(self._event.objective)
        if own is not None:
            self._baselines[event.name] = own.mean
        if not event.remembered:
            ended = event.evaluation.outcome.tag.value if own is None else score_text(own)
            self._say(f"baseline {event.name:<12} {self._event.objective} {ended}")

    def _add_candidate(self, event: Told) -> None:
        candidate = event.candidate
        self._told = candidate.ordinal + 1
        self._decided += 1
        self._valid += candidate.ending.tag in (Tag.OK, Tag.EARLY_STOPPED)
        if not self._terminal and self._told % _LINE_EVERY == 0:
            self._say(f"{self._told}/{self._total} candidates, {self._status()}")

    def _add_best(self, candidate: Candidate) -> None:
        self._best, self._best_ordinal = candidate.scores[self._event.objective], candidate.ordinal
        line = f"#{candidate.ordinal:<4} {self._score(candidate)}  {visible(candidate.note) or 'the seed'}"
        self._bests.append(line)
        self._say(f"best     {line}")

    def _score(self, candidate: Candidate) -> str:
        return score_text(candidate.scores.get(self._event.objective))

    def _say(self, line: str) -> None:
        if not self._terminal:
            self._console.print(Text(line), soft_wrap=True)

    def _status(self) -> str:
        parts = []
        if self._best:
            parts.append(f"best {self._event.objective} {score_text(self._best)}")
            if self._baselines:
                name = max(self._baselines, key=self._baselines.__getitem__)
                ahead = difference(self._best.mean - self._baselines[name])
                parts[-1] += f" ({ahead} on {name}, the best baseline)"
        if self._decided:
            parts.append(f"valid {100 * self._valid / self._decided:.0f} %")
            parts.append(f"{60 * self._decided / (time.monotonic() - self._started_at):.0f} candidates/min")
            parts.append(self._eta())
        if self._spent:
            usd, tokens = self._spent
            limit = f" of ${self._config.budget_usd:g}" if self._config.budget_usd is not None else ""
            parts.append(f"${usd:.4f}{limit}, {tokens} tokens")
        return ", ".join(parts) or "scoring the baselines"

    def _eta(self) -> str:
        elapsed = time.monotonic() - self._started_at
        left = elapsed / self._decided * (self._total - self._told)
        return f"{left // 60:.0f}:{left % 60:02.0f} left"

    def _render(self) -> Group:
        eta = self._eta() if self._decided else ""
        self._progress.update(self._task, completed=self._told, total=self._total, eta=eta)
        lines = [Text(f"  {line}", style="green", overflow="ellipsis", no_wrap=True) for line in self._bests]
        head = [Text("best so far, the last one now", style="bold")] if lines else []
        return Group(self._progress, Text(self._status()), *head, *lines)
