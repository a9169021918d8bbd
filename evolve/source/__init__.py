"""The only walker of a program's source.

`tree` asks a syntax tree, `canonical` says which programs are the same, `size` which is smaller; `code` edits the
text at the tree's positions, `sites` finds where the evolvable components stand.
"""
