"""All figures, of the command line, the report and the viewer: plain records in, a matplotlib figure out.

======================  =================================================================================
`exploitability`        exploitability against iteration, a panel per game, a line per program
`best_so_far`           every score and the best so far, against candidates, CPU seconds or dollars
`shares`                what each operator or model proposed, how much of it was valid and improved
`outcomes`              how candidates ended
`islands`               each island's best so far
`campaigns`             the best so far of several searches beside each other
`ancestry`              who came of whom, the way to the best drawn out
`advantage`             how far a program is ahead of each baseline, on training games and on sealed ones
======================  =================================================================================

`svg` turns a figure into text for a page, readable on light and dark ones; `save` writes a file. The same records
give the same bytes. Nothing here opens a window or keeps state, and importing it loads no matplotlib.
"""

from results.plots.campaigns import campaigns
from results.plots.contests import Advantage, advantage
from results.plots.convergence import COLUMNS, SMALLEST, Curve, exploitability
from results.plots.search import ancestry, best_so_far, islands, outcomes, shares
from results.plots.theme import INK, Look, colours, looks, save, svg

__all__ = (
    "COLUMNS",
    "INK",
    "SMALLEST",
    "Advantage",
    "Curve",
    "Look",
    "advantage",
    "ancestry",
    "best_so_far",
    "campaigns",
    "colours",
    "exploitability",
    "islands",
    "looks",
    "outcomes",
    "save",
    "shares",
    "svg",
)
