"""The verdict of a report in sentences, and how numbers are written: alike in HTML, in Markdown and on a terminal."""

from __future__ import annotations

from results.report.model import Pair, Report, Row
from results.text import NONE, duration, usd

_KINDS = {
    "structure": "structure: code was added, removed or rewritten",
    "constants": "constants: the same code with other numbers",
    "wording": "wording: comments or names only",
}


def verdict(report: Report) -> list[str]:
    """What was found, in a few sentences, the most important first."""
    sentences = [_score(report)]
    if report.best is not None and report.best.ordinal and len(report.contenders) > 1:
        sentences.append(
            f"Its exploitability is the smallest of {len(report.contenders)} programs in {report.wins} of the "
            f"{len(report.rows)} rows of final values."
        )
    against = leading_pair(report)
    if against is not None:
        by, side = f"{abs(against.mean):.2f}", "ahead of" if against.mean >= 0 else "behind"
        where = f"{by} orders of magnitude {side}" if float(by) else "level with"
        sentences.append(f"On sealed games it is {where} {against.baseline} on average ({results(against)}).")
    elif report.best is not None and report.sealed is None:
        sentences.append("It was not run on sealed games yet.")
    return sentences


def leading_pair(report: Report) -> Pair | None:
    """The leader of the sealed games against the best baseline of the search, or against the hardest there."""
    if report.sealed is None:
        return None
    pairs = [pair for pair in report.sealed.pairs if pair.finalist == report.sealed.leader]
    best = report.baseline.label if report.baseline else ""
    return next((p for p in pairs if p.baseline == best), min(pairs, key=lambda p: p.mean, default=None))


def results(pair: Pair) -> str:
    """Wins, ties and losses."""
    counts = ((pair.wins, "win", "wins"), (pair.ties, "tie", "ties"), (pair.losses, "loss", "losses"))
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts)


def _score(report: Report) -> str:
    objective, best, baseline = report.campaign.objective, report.best, report.baseline
    if not report.trials:
        return "No candidate has been evaluated yet."
    if best is None:
        return f"None of the {len(report.trials)} candidates ended as a valid program."
    if best.ordinal == 0:
        return (
            f"Nothing better than the program that the search started from has been found in {len(report.trials)} "
            f"candidates; it scores {points(best.score)} {objective}."
        )
    said = f"Candidate {best.ordinal} of {len(report.trials)} scores {points(best.score)} {objective}"
    if baseline is None or baseline.score is None:
        return f"{said}; no baseline was scored."
    difference = best.score - baseline.score
    side = "more" if difference >= 0 else "less"
    other = f"{baseline.label} ({points(baseline.score)})"
    return f"{said}, {points(abs(difference))} {side} than the best baseline, {other}."


def points(value: float | None) -> str:
    """A score with three decimals, or a dash."""
    return NONE if value is None else f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def change(value: float | None) -> str:
    """A difference of scores with its sign, or a dash."""
    return NONE if value is None else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def share(part: float, whole: float) -> str:
    """A part in percent, or a dash when there is no whole."""
    return NONE if whole <= 0 else f"{part / whole:.0%}"


def kind(name: str) -> str:
    """A kind of change, explained."""
    return _KINDS.get(name, name)


def game(row: Row) -> str:
    """A row's game, with a mark where its payoffs are not its own."""
    if not row.variant:
        return row.game
    copies = f", {row.copies} copies" if row.copies > 1 else ""
    return f"{row.game} ({row.variant}{copies})"


def facts(report: Report) -> list[tuple[str, str]]:
    """The numbers at the top: (what it is, its value)."""
    best, baseline = report.best, report.baseline
    of = f" of {report.planned}" if report.planned and report.planned != len(report.trials) else ""
    found = [("candidates", f"{len(report.trials)}{of}")]
    if best is not None:
        found.insert(0, (f"{report.campaign.objective}, best candidate", points(best.score)))
    if baseline is not None:
        found.insert(1 if best else 0, (f"best baseline: {baseline.label}", points(baseline.score)))
    found += [
        ("valid", share(sum(t.value is not None for t in report.trials), len(report.trials))),
        ("from start to end", duration(report.wall_s) if report.wall_s is not None else report.status),
        ("CPU time of evaluations", duration(report.cpu_s)),
        ("paid for models", usd(report.paid_usd) if report.paid_usd else "nothing"),
        ("looks at sealed games", str(len(report.sealed.looks) if report.sealed else 0)),
    ]
    return found
