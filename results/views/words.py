"""The verdict on a campaign in sentences: alike in HTML, in Markdown and on a terminal."""

from __future__ import annotations

from evaluators.records import Metric, Score
from results.comparison import Pair
from results.text import count, duration, percent, plural, score, usd
from results.views.campaign import CampaignView

KINDS = {
    "structure": "structure: code was added, removed or rewritten",
    "constants": "constants: the same code with other numbers",
    "wording": "wording: comments or names only",
}


def verdict(view: CampaignView) -> list[str]:
    """Return what a campaign achieved, in a few sentences, the most important first."""
    sentences = [_score(view)]
    metric, best = view.campaign.metric, view.best
    rivals = sum(one.baseline and one is not best for one in view.entries)
    if best is not None and best.ordinal and rivals:
        grouped = any(len(column.tasks) > 1 for column in view.columns)
        columns = count(len(view.columns), "group" if grouped else metric.task)
        sentences.append(
            f"By {metric.label} it is the best, or tied with the best, among itself and {count(rivals, 'baseline')} on "
            f"{view.wins} of {columns}{f' of {plural(metric.task)}' * grouped}."
        )
    unseen = view.held_out
    pair = unseen.leading_pair(view.baseline.program_id if view.baseline else "") if unseen else None
    if unseen is not None and pair is not None and pair.mean is not None:
        by, other = f"{abs(pair.mean):.2f}", unseen.names[pair.baseline]
        side = f"{'ahead of' if pair.mean >= 0 else 'behind'} {other} by {by} {ahead_unit(metric)}"
        sentences.append(
            f"On held-out {plural(metric.task)} {unseen.names[pair.finalist]} is "
            f"{side if float(by) else f'level with {other}'} on average ({results(pair)})."
        )
    elif best is not None and unseen is None:
        sentences.append(f"It was not run on held-out {plural(metric.task)} yet.")
    return sentences


def results(pair: Pair) -> str:
    """Return wins, ties and losses."""
    counts = ((pair.wins, "win"), (pair.ties, "tie"), (pair.losses, "loss"))
    return ", ".join(f"{number} {word if number == 1 else plural(word)}" for number, word in counts)


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
    scores = f"Candidate {best.ordinal} of {tried} scores {_of(best.score)} ({objective})"
    if baseline is None or baseline.score is None:
        return f"{scores}; no baseline was scored."
    difference = best.score.mean - baseline.score.mean
    side = "more" if difference >= 0 else "less"
    other = f"{baseline.label} ({_of(baseline.score)})"
    return f"{scores}, {score(abs(difference))} {side} than the best baseline, {other}."


def _of(value: Score) -> str:
    return score(value.mean, value.stderr)
