"""What the kernel says of processes: who is below whom, who lives, and what memory is a process's own."""

from __future__ import annotations

import contextlib
from pathlib import Path


def below(pid: int) -> set[int]:
    """All processes below `pid`."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                for child in map(int, (task / "children").read_text(encoding="ascii").split()):
                    found |= {child} | below(child)
    return found


def alive(pid: int) -> bool:
    """Whether `pid` runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def private_mib(pid: int) -> float | None:
    """Memory that only `pid` uses; None when this user may not know."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    rows = dict(line.split(":", 1) for line in lines)
    return sum(int(rows[name].split()[0]) for name in ("Private_Dirty", "Private_Clean")) / 1024


def rss_mib(pid: int) -> float:
    """Resident memory of `pid`, 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
