"""Leaves it to chance how many applicants are seen first."""

import random


class Hiring:
    """A random share."""

    def skipped(self, num_applicants):
        return random.uniform(0.0, 0.2)
