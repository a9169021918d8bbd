"""What ``evolve run`` shows while it runs: a live panel on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from evolve.cli.output import console
from evolve.config import CampaignConfig
from evolve.search.events import BaselineScored, Called, Event, Looked, Started, Told, Warned
from results.text import visible

_LINE_EVERY = 20
"""Without a terminal: candidates between two lines of progress."""


class Display:
    """Observer of a campaign that writes to standard error."""

    def __init__(self, config: CampaignConfig) -> None:
        self._config = config
        self._console = console(stderr=True)
        self._terminal = self._console.is_terminal
        self._objective = ""
        self._total = config.candidates
        self._told = 0
        self._spent: tuple[float, int] | None = None
        self._ok = self._judged = 0
        self._best: float | None = None
        self._baseline: tuple[str, float] | None = None
        self._improvements: deque[str] = deque(maxlen=5)
        self._begun = time.monotonic()
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
                self._started(event)
            case BaselineScored():
                self._baseline_scored(event)
            case Told():
                self._candidate_told(event)
            case Called():
                self._spent = (event.spent_usd, event.spent_tokens)
            case Warned():
                self._console.print(Text(visible(event.message), style="yellow"), soft_wrap=True)
            case Looked():
                self._say(
                    f"looked at games of the test suite: {len(event.evaluation.results)}, of {event.looks} so far"
                )

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live.is_started:
            self._live.stop()

    def _started(self, event: Started) -> None:
        self._objective = event.objective
        self._total, self._told, self._best = event.candidates, event.told, event.best
        self._begun = time.monotonic()
        verb = f"continues after {event.told} candidates" if event.told else "starts"
        self._console.print(
            f"Campaign [bold]{escape(event.campaign)}[/bold] {verb}: {event.candidates} candidates on "
            f"{', '.join(event.games)}; {event.workers} workers, isolation {event.isolation}."
        )
        if self._terminal:
            self._live.start()

    def _baseline_scored(self, event: BaselineScored) -> None:
        score = event.evaluation.objectives.get(self._objective)
        if score is not None and (self._baseline is None or score > self._baseline[1]):
            self._baseline = (event.name, score)
        if not event.remembered:
            came = event.evaluation.outcome.tag.value if score is None else f"{score:.3f}"
            self._say(f"baseline {event.name:<12} {self._objective} {came}")

    def _candidate_told(self, event: Told) -> None:
        self._told = event.ordinal + 1
        self._judged += 1
        self._ok += event.outcome.ok or event.outcome.tag.value == "early_stopped"
        if event.improved:
            self._best = event.objectives[self._objective]
            line = f"#{event.ordinal:<4} {self._best:.3f}  {visible(event.note) or 'the seed'}"
            self._improvements.append(line)
            self._say(f"improved {line}")
        if not self._terminal and self._told % _LINE_EVERY == 0:
            self._console.print(
                Text(f"{self._told}/{self._total} candidates, {self._status()}"), soft_wrap=True
            )

    def _say(self, line: str) -> None:
        if not self._terminal and line:
            self._console.print(Text(line), soft_wrap=True)

    def _status(self) -> str:
        parts = [] if self._best is None else [f"best {self._objective} {self._best:.3f}"]
        if self._baseline and self._best is not None:
            name, score = self._baseline
            parts[-1] += f" ({self._best - score:+.3f} on {name}, the best baseline)"
        if self._judged:
            parts.append(f"valid {100 * self._ok / self._judged:.0f} %")
            parts.append(f"{60 * self._judged / (time.monotonic() - self._begun):.0f} candidates/min")
            parts.append(self._eta())
        if self._spent:
            usd, tokens = self._spent
            limit = f" of ${self._config.budget_usd:g}" if self._config.budget_usd is not None else ""
            parts.append(f"${usd:.4f}{limit}, {tokens} tokens")
        return ", ".join(parts) or "scoring the baselines"

    def _eta(self) -> str:
        elapsed = time.monotonic() - self._begun
        left = elapsed / self._judged * (self._total - self._told)
        return f"{left // 60:.0f}:{left % 60:02.0f} left"

    def _render(self) -> Group:
        eta = self._eta() if self._judged else ""
        self._progress.update(self._task, completed=self._told, total=self._total, eta=eta)
        lines = [
            Text(f"  {line}", style="green", overflow="ellipsis", no_wrap=True) for line in self._improvements
        ]
        head = [Text("last improvements", style="bold")] if lines else []
        return Group(self._progress, Text(self._status()), *head, *lines)
