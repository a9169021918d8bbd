"""Prompt templates, by domain and operator."""
