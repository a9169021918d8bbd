"""Which domains' programs become files that run on their own."""

import pytest

from evaluators.contract import CapabilityError
from evaluators.registry import get_domain
from evaluators.testing import FakeDomain


@pytest.mark.parametrize("name", ["cfr", "psro"])
def test_a_domains_own_exporter(name):
    domain = get_domain(name)
    as_script = domain.require("exporter", command="export")
    text = as_script(domain.seed_source(domain.seed), title="mine", file="mine.py")
    assert text.startswith("# mine\n")
    assert "python mine.py" in text


@pytest.mark.parametrize("capability", ["exporter", "solver", "meta_strategy_method", "mechanisms"])
def test_a_domain_without_a_capability_says_so_in_one_line(capability):
    with pytest.raises(CapabilityError, match=rf"^export: the domain guess has no {capability}\.$"):
        FakeDomain("guess").require(capability, command="export")
