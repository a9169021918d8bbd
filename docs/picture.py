"""Turn what a terminal showed into a picture: ANSI text on standard input, an SVG file out.

The README's picture is a real run, taken from a terminal 84 columns wide:

    tmux new-session -d -s demo -x 84 -y 64 'make demo; sleep 600'
    tmux capture-pane -e -p -t demo | python docs/picture.py docs/demo.svg "make demo"
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main(path: str, title: str) -> None:
    """Write the picture of standard input to `path`."""
    lines = [line.rstrip() for line in sys.stdin.read().rstrip().splitlines()]
    console = Console(record=True, width=84, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    picture = console.export_svg(title=title)
    # The template names fonts of another host; whoever opens the picture should fetch nothing.
    Path(path).write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
