"""Speed benchmarks: both sides of every comparison in one run, on one core."""
