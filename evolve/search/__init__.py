"""The search: ask, propose, screen, evaluate, tell."""
