"""The results database: what campaigns, programs, scores and curves are kept in, and how they are read.

`results.store` is the way in for the engine; `results.queries` and `results.programs` are for whoever looks.
Nothing here imports any other package of this project: records are plain data that the engine maps. Importing
this package loads nothing else.
"""
