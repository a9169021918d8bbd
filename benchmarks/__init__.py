"""Benchmarks: both sides of every comparison in one run, on one core. Part of the checkout, not of the wheel."""
