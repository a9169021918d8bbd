"""Rows, every other one of which is shifted by half a circle."""

import numpy as np


class Packing:
    """Shifted rows of circles that overlap and are to be shrunk."""

    def pack(self, n):
        side = int(np.ceil(np.sqrt(n)))
        column, row = np.arange(n) % side, np.arange(n) // side
        x = (column + 0.3 + 0.4 * (row % 2)) / side
        return np.column_stack([x, (row + 0.5) / side, np.full(n, 0.6 / side)])
