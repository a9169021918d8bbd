"""Seed and baseline programs, read as text and never imported."""

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
