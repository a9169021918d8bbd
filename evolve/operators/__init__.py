"""Operators: what turns parent programs into a child's source."""
