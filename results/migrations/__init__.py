"""Revisions of the schema: how a database of any released version becomes one of this version.

Revisions are numbered 0003, 0004, ... and written by hand, with plain column types: a revision says what
the schema was, so it must not follow later changes of `results.schema`. Each leaves a small database under
``tests/results/data/``, which the upgrade test opens from then on. A new database is made as `results.schema`
has it; a test sees that a converted one becomes the same.
"""
