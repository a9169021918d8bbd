"""What counts as structure, and what as constants."""

import pytest

from results.views.structure import Split, kind_of, split

BASE = '"""Doc."""\n\n\nclass A:\n    def f(self, x):\n        y = 1.5 * x\n        return y if x > 2 else None\n'


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("1.5", "1.25", "constants"),
        ("1.5", "-1.5", "constants"),
        ("> 2", "> 1e-3", "constants"),
        ("Doc.", "Another doc.", "wording"),
        ("y", "weight", "wording"),
        ("    def f", "    # a comment\n    def f", "wording"),
        ("1.5 * x", "1.5 / x", "structure"),
        ("1.5 * x", "1.5 * x + 0.1", "structure"),
        ("None", "True", "structure"),
        ("> 2", ">", "structure"),
    ],
)
def test_kinds(old, new, kind):
    assert old in BASE
    assert kind_of(BASE, BASE.replace(old, new)) == kind


def test_signs_and_kinds_of_numbers_do_not_count():
    assert kind_of("f(-1)\n", "f(+2.5)\n") == "constants"
    assert kind_of("f(True)\n", "f(1)\n") == "structure"


def test_gains_add_up():
    found = split([("structure", 0.5), ("constants", -0.25), ("structure", 0.125), ("constants", None)])
    assert found == (Split("structure", 2, 0.625), Split("constants", 2, -0.25))
    assert split([]) == ()
