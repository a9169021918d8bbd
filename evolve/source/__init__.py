"""The only walker of a program's source.

`tree` asks a syntax tree, also how large it is, `canonical` says which programs are the same; `code` edits the text at
the tree's positions, `sites` finds where the evolvable components stand.
"""
