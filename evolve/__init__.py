"""Discover game-solving algorithms by evolving their source."""
