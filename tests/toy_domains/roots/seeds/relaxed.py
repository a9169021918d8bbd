"""Newton's rule, of which only a part of each step is made."""


class Rule:
    """A part of Newton's step."""

    def step(self, x, target):
        return x + 0.3 * (target / x - x)
