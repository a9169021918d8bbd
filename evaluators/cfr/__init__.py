"""Variants of counterfactual regret minimisation."""
