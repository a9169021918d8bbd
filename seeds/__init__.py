"""Seed and baseline programs, read as text and never imported."""

from functools import cache
from importlib.resources import files


def names(domain: str) -> tuple[str, ...]:
    """Names of a domain's seed programs, sorted."""
    folder = files(__name__) / domain
    return tuple(sorted(f.name[:-3] for f in folder.iterdir() if f.name.endswith(".py")))


def source(domain: str, name: str) -> str:
    """Source of the seed program `name` of `domain`.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return (files(__name__) / domain / f"{name}.py").read_text(encoding="utf-8")


def planned(source: str) -> bool:
    """Whether a program is a seed that is told the horizon, which no other program is: tables mark it with †.

    Its text sets ``PLANNED_ITERATIONS``. A run of the seed has the run's budget there instead, so that it is another
    rule at each budget, and points before the last of its curve are those of an unfinished plan. A program that is not
    one of ours, letter for letter, keeps what it sets.
    """
    return source in _planned_sources()


@cache
def _planned_sources() -> frozenset[str]:
    """Of all domains."""
    domains = (folder.name for folder in files(__name__).iterdir() if folder.is_dir())
    sources = (source(domain, name) for domain in domains for name in names(domain))
    return frozenset(text for text in sources if "\nPLANNED_ITERATIONS = " in text)


def reconstructions(domain: str) -> tuple[str, ...]:
    """Names of the seeds of a domain that are reconstructions, sorted: shown in tables, not counted in verdicts.

    They stand for a rule whose equations we could not read, or that a program cannot follow to the letter. A line of
    their docstring that begins with ``Reconstruction:`` says what is known and what is ours.
    """
    return tuple(name for name in names(domain) if "\nReconstruction: " in source(domain, name))
