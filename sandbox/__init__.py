"""Runs one untrusted program at a time and calls it with arrays; knows nothing of games or scores."""
