"""Sees most applicants before anybody is hired."""


class Hiring:
    """A constant share."""

    def skipped(self, num_applicants):
        return min(0.85 + 0.1 / num_applicants, 1.0)
