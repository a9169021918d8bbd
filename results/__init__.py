"""The results database: what campaigns, programs and evaluations are kept in, and how they are read.

The engine writes through `results.store`; `results.queries` and `results.programs` answer questions. Of the other
packages of this project only `evaluators.records` is imported: what domains and the engine make is stored, and read
back, as it is. Importing this package loads nothing else.
"""
