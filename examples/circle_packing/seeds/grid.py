"""Equal circles on a square grid."""

import numpy as np


class Packing:
    """Rows and columns, as few as there is room in."""

    def pack(self, n):
        side = int(np.ceil(np.sqrt(n)))
        column, row = np.arange(n) % side, np.arange(n) // side
        return np.column_stack([(column + 0.5) / side, (row + 0.5) / side, np.full(n, 0.5 / side)])
