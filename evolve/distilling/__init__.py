"""Distillation: the smallest program that keeps the score.

`reductions` lists what could go from a source, `tidy` takes along what nothing reads afterwards, `size` says what
is smaller, `wording` keeps docstrings and comments true; all of them are pure. `search` decides by scores, `start`
has them measured by the evaluation service.
"""
