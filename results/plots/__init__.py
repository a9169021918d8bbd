"""All figures, of the command line, the report and the viewer: plain records in, a matplotlib figure out.

======================  =================================================================================
`curves`                a metric against budget, a panel per family of tasks, a line per program
`best_so_far`           every score and the best so far, against candidates, CPU seconds or dollars
`islands`               each island's best so far
`campaigns`             the best so far of several searches beside each other
`ancestry`              candidates joined to their parents, the lineage of the best drawn out
`advantages`            how far a program is ahead of each baseline, on tasks of the search and on held-out ones
======================  =================================================================================

`svg` makes text for a page of a figure, readable on light and dark ones; `save` writes a file. The same records
give the same bytes. Nothing here opens a window or keeps state, and importing it loads no matplotlib.
"""

from results.plots.programs import COLUMNS, Advantage, Curve, advantages, curves
from results.plots.search import ancestry, best_so_far, campaigns, islands
from results.plots.theme import Style, colours, save, styles, svg

__all__ = (
    "COLUMNS",
    "Advantage",
    "Curve",
    "Style",
    "advantages",
    "ancestry",
    "best_so_far",
    "campaigns",
    "colours",
    "curves",
    "islands",
    "save",
    "styles",
    "svg",
)
