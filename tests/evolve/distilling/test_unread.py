"""What nothing reads goes; what might be read stays."""

import pytest

from evolve.distilling.unread import without_unread
from evolve.source.code import Code


@pytest.mark.parametrize(
    "before, after",
    [
        (["y = 2 * x", "return x"], ["return x"]),
        (["y = 2 * x", "z = y + 1", "return x"], ["return x"]),
        (["y = 0", "y += x", "return x"], ["return x"]),
        (["x = x", "return x"], ["return x"]),
        (["y = x", "return y + y"], ["return x + x"]),
        (["y = 3 * x", "return y"], ["return 3 * x"]),
        (["self.last = x", "return x"], ["return x"]),
        (["y = 2 * x", "self.last = y", "return self.last + y"], ["y = 2 * x", "return y + y"]),
        (["a, b = x, 2", "return a + a"], ["return x + x"]),
        (["if x > 2:", "    y = 3", "return x"], ["return x"]),
        (["return x", "x = 3"], ["return x"]),
        (["x.sort()", "y = x.mean()", "return x"], ["x.sort()", "return x"]),
    ],
)
def test_unread_code_goes(program, domain, before, after):
    assert without_unread(program(*before), domain.components).text == program(*after).text


@pytest.mark.parametrize(
    "lines",
    [
        ["y = helper(x)", "return x"],
        ["y = self.step(x)", "return x"],
        ["self.last = self.last + x", "return self.last"],
        ["y, z = x", "return y"],
        ["self.total += x", "return vars(self)"],
        ["for y in x:", "    x = y", "return x"],
    ],
)
def test_what_may_matter_stays(program, domain, lines):
    helper = ["def helper(x):", "    return x.pop()", "", ""]
    step = ["last = 0", "", "def step(self, x):", "    return x", ""]
    code = program(*lines, above=helper, inside=step)
    assert all(line in without_unread(code, domain.components).text for line in lines)


def test_helpers_attributes_and_imports_go_but_components_stay(domain):
    code = Code(
        "import math\nimport numpy as np\n\nLIMIT = 3\n\n\n"
        "# Helps nobody.\ndef helper(x):\n    return math.sqrt(x)\n\n\n"
        "class Base:\n    scale = 2\n\n\n"
        "class Answer:\n    last = None\n    kept = 1\n\n    def unused(self):\n        return 1\n\n"
        "    def value(self, x):\n        return np.abs(x) * self.kept\n"
    )
    text = without_unread(code, domain.components).text
    assert "np.abs(x) * self.kept" in text
    assert not any(word in text for word in ("math", "LIMIT", "helper", "Helps", "Base", "last", "unused"))


def test_a_method_whose_component_is_read_nowhere_stays(program, domain):
    assert without_unread(program("return x"), domain.components).text == program("return x").text
