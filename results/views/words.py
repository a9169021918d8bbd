"""The verdict on a campaign in sentences: alike in HTML, in Markdown and on a terminal."""

from __future__ import annotations

from evaluators.records import Metric, Score
from results.comparison import Comparison
from results.text import count, duration, estimate, percent, plural, score, usd
from results.views.campaign import CampaignView
from results.views.held_out import HeldOut

KINDS = {
    "structure": "structure: code was added, removed or rewritten",
    "constants": "constants: the same code with other numbers",
    "wording": "wording: comments or names only",
}


def verdict(view: CampaignView) -> list[str]:
    """Return what a campaign achieved, in a few sentences: first on held-out tasks, by which nothing was selected."""
    metric, best, unseen = view.campaign.metric, view.best, view.held_out
    sentences = _on_held_out(metric, unseen) if unseen is not None and unseen.of(unseen.leader) else []
    sentences.append(_score(view))
    rivals = sum(one.baseline and one is not best for one in view.entries)
    if best is not None and best.ordinal and rivals:
        grouped = any(len(column.tasks) > 1 for column in view.columns)
        columns = count(len(view.columns), "group" if grouped else metric.task)
        sentences.append(
            f"By {metric.label} it is the best, or tied with the best, among itself and {count(rivals, 'baseline')} on "
            f"{view.wins} of {columns}{f' of {plural(metric.task)}' * grouped}."
        )
    if best is not None and unseen is None:
        sentences.append(f"It was not run on held-out {plural(metric.task)} yet.")
    return sentences


def _on_held_out(metric: Metric, unseen: HeldOut) -> list[str]:
    """Return what the first finalist is ahead of, and how it stands to the strongest of the others."""
    name, own = unseen.names[unseen.leader], unseen.of(unseen.leader)
    widest = max(own, key=lambda one: (one.families, sum(record(one))))
    tasks = f"{count(sum(record(widest)), f'held-out {metric.task}')} of {count(widest.families, 'family')}"
    sentences = [f"On {tasks}, {name} is {unseen.summarized(unseen.leader)}."]
    strongest = next((one for one in own if one.verdict is not None and one.mean is not None), None)
    if strongest is not None:
        other, mean = unseen.names[strongest.other], strongest.mean or 0.0
        by = f"{estimate(abs(mean), strongest.stderr)} {ahead_unit(metric)}"
        if strongest.verdict == "level":
            side = f"{by} {'behind' if mean < 0 else 'ahead of'} the strongest of these, {other}"
            sentences.append(
                f"It is on average {side}, which these {plural(metric.task)} do not tell from 0."
            )
        elif mean < 0:
            sentences.append(f"The strongest of these, {other}, is ahead of it by {by} on average.")
        else:
            sentences.append(f"It is ahead of the strongest of these, {other}, by {by} on average.")
    return sentences


def record(one: Comparison) -> tuple[int, int, int]:
    """Return wins, ties and losses."""
    return one.wins, one.ties, one.losses


def ahead_unit(metric: Metric) -> str:
    """Return what differences between programs are counted in."""
    if metric.scale == "log":
        return "orders of magnitude"
    return f"in {metric.label}" if metric.unit == 1 else f"times {metric.unit:g} in {metric.label}"


def better(metric: Metric) -> str:
    """Return which values are better."""
    return "smaller is better" if metric.direction == "min" else "larger is better"


def facts(view: CampaignView) -> list[tuple[str, str, str]]:
    """Return the numbers at the top: what it is, its value, and a note beside it."""
    best, baseline, decided = view.best, view.baseline, len(view.trials)
    of = f"of {view.planned}" if view.planned and view.planned != decided else ""
    record, unseen = view.campaign, view.held_out
    facts = [("candidates", str(decided), of), ("valid", percent(view.valid, decided), str(view.valid))]
    if baseline is not None and baseline.score is not None:
        facts.insert(0, ("best baseline", _of(baseline.score), baseline.label))
    if best is not None and best.score is not None:
        facts.insert(0, (f"best {record.objective}", _of(best.score), best.label))
    facts += [
        ("improvements", str(len(view.improvements)), ""),
        ("CPU of evaluations", duration(view.cpu_s), ""),
        ("held-out evaluations", str(len(unseen.evaluations) if unseen else 0), ""),
    ]
    if record.finished_at is not None:
        wall_s = (record.finished_at - record.created_at).total_seconds()
        facts.append(("from start to end", duration(wall_s), ""))
    if view.calls:
        calls, tokens_in, tokens_out = (
            sum(getattr(model, name) for model in view.calls)
            for name in ("calls", "input_tokens", "output_tokens")
        )
        facts.append(("models", usd(view.cost_usd), count(calls, "call")))
        facts.append(("tokens", f"{tokens_in:,} in", f"{tokens_out:,} out"))
    return facts


def _score(view: CampaignView) -> str:
    objective, best, baseline, tried = view.campaign.objective, view.best, view.baseline, len(view.trials)
    if not view.trials:
        return "No candidate has been evaluated yet."
    if best is None or best.score is None:
        return f"None of {count(tried, 'candidate')} ended as a valid program."
    if best.ordinal == 0:
        return (
            f"No candidate of {tried} is better than the program that the search started from; it scores "
            f"{_of(best.score)} ({objective})."
        )
    searched = f"on the {plural(view.campaign.metric.task)} of the search"
    scores = f"Candidate {best.ordinal} of {tried} scores {_of(best.score)} ({objective}) {searched}"
    if baseline is None or baseline.score is None:
        return f"{scores}; no baseline was scored."
    return (
        f"{scores}, by which it was chosen; the best baseline there, {baseline.label}, {_of(baseline.score)}."
    )


def _of(value: Score) -> str:
    return score(value.mean, value.stderr)
