"""Finalists beside the baselines on games that no search has seen, and what that says."""
