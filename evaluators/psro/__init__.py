"""Policy-space response oracles: how a population's mixture is chosen."""
