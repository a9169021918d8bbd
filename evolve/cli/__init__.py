"""The ``evolve`` command."""
