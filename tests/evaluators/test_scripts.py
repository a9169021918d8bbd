"""Which domains' programs become files that run on their own."""

from types import SimpleNamespace

import pytest

import seeds
from evaluators import scripts
from evaluators.contract import ProgramError
from evaluators.registry import domains


@pytest.mark.parametrize("name", ["cfr", "psro"])
def test_a_domains_own_exporter(name):
    domain = domains()[name]
    text = scripts.exporter(domain)(seeds.source(name, domain.seed), title="mine", file="mine.py")
    assert text.startswith("# mine\n")
    assert "python mine.py" in text


def test_a_domain_without_one():
    class Guess(SimpleNamespace):
        __module__ = "evaluators.games.domain"

    with pytest.raises(ProgramError, match="the domain guess has no files that run on their own"):
        scripts.exporter(Guess(name="guess"))
