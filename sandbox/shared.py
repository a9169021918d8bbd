"""The memory that one session shares with its child: sealed, mapped twice, never used again."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
from collections.abc import Sequence

from sandbox.base import Array
from sandbox.runner import wire


class SharedMemory:
    """One mapping. `descriptor` is for the child and is closed once the child has it."""

    def __init__(self, room: int, guest: bytes, program: bytes) -> None:
        """Map `room` bytes for arrays; the sources lie at its start until the first call."""
        self.size = wire.rounded_room(max(room, len(guest) + len(program)))
        self.descriptor = os.memfd_create("session", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.descriptor, self.size)
        # A mapping that shrank under its reader would kill it.
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)
        self._memory = mmap.mmap(self.descriptor, self.size)
        self._memory[: len(guest) + len(program)] = guest + program

    def place(self, specs: Sequence[wire.Spec], start: int) -> tuple[tuple[Array, ...], int]:
        """Views for arrays of `specs` at or after `start`, and the byte after them.

        Raises:
            NoRoomError: they do not fit.
        """
        offsets, end = wire.place(specs, start, self.size)
        return wire.views(self._memory, specs, offsets), end

    def close_descriptor(self) -> None:
        """Close the descriptor; the mapping stays."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def close(self) -> None:
        """Unmap, or leave it to the garbage collector while a view of it is still held."""
        self.close_descriptor()
        with contextlib.suppress(BufferError):
            self._memory.close()
