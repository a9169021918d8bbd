"""What all figures share: colours, axes, and how a figure becomes a file or the text of a page."""

from __future__ import annotations

import io
import math
import re
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#3d4148"
"""Text, axes and lines without a colour of their own. In a page's SVG it becomes ``currentColor``."""

_PALETTE = ("#1F7FC0", "#009E73", "#CC79A7", "#C98500", "#7A68B8", "#4AA8C8", INK)
"""After Okabe and Ito, whom colour-blind readers tell apart; each is seen on white and on nearly black paper."""
STRONG = "#D55E00"
"""Theirs too, kept for what a figure is about."""
_DASHES: tuple[str, ...] = ("", "5 1.5", "1 1.2")
_LONGEST_LABEL = 48
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SVG = "http://www.w3.org/2000/svg"
_PIXELS_PER_POINT = 4 / 3
_XLINK = "{http://www.w3.org/1999/xlink}"
_SETTINGS: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "axes.unicode_minus": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "legend.edgecolor": INK,
    "savefig.facecolor": "none",
    "svg.hashsalt": "evolve",
    "text.color": INK,
    # Names come from models too: a dollar sign in one must not be read as mathematics.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
}
_lock = threading.RLock()


Legend = Literal["outside upper center", "outside lower center"]


class Style(NamedTuple):
    """How a program's line is drawn: colour, SVG dash pattern in line widths ("" is solid), width in points."""

    colour: str
    dashes: str
    width: float
    strong: bool

    def line(self) -> dict[str, Any]:
        """Return it as keywords of `Axes.plot`."""
        dashes = tuple(float(part) for part in self.dashes.split())
        return {
            "color": self.colour,
            "linestyle": (0, dashes) if dashes else "-",
            "linewidth": self.width,
            "zorder": 3 if self.strong else 2,
        }


def styles(labels: Iterable[str], highlight: Sequence[str] = ()) -> dict[str, Style]:
    """Return label -> style, by its position; the first highlighted one has the colour kept for it."""
    made: dict[str, Style] = {}
    strong = [label for label in dict.fromkeys(labels) if label in highlight][:1]
    plain = 0
    for label in dict.fromkeys(labels):
        bold = label in highlight
        if label in strong:
            made[label] = Style(STRONG, "", 2.4, strong=True)
            continue
        dashes = _DASHES[plain // len(_PALETTE) % len(_DASHES)]
        made[label] = Style(_PALETTE[plain % len(_PALETTE)], dashes, 2.4 if bold else 1.2, strong=bold)
        plain += 1
    return made


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return name -> colour, by its position: hand in the same order (of first appearance) everywhere."""
    return {name: style.colour for name, style in styles(names).items()}


def label(text: str) -> str:
    """Return `text` as a label: on one line, not too long, and without characters that XML or a reader cannot take."""
    plain = _one_line(text)
    return plain if len(plain) <= _LONGEST_LABEL else plain[: _LONGEST_LABEL - 1] + "…"


@contextmanager
def drawing() -> Iterator[None]:
    """Apply the settings that figures are made and written under: matplotlib's globals, for one thread at a time."""
    import matplotlib

    with _lock, matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name in a script that matplotlib's own font lacks is drawn by the reader's font.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def blank(width: float, height: float, *grid: int, **options: Any) -> tuple[Figure, Any]:
    """Return an empty figure of this size in inches with its axes: one, or a grid as `Figure.subplots` takes it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(*grid, **options)


def dress(axis: Axes, *, grid: str = "both", x: str = "", y: str = "") -> None:
    """Put a quiet grid behind the data, and say what the axes are."""
    axis.grid(visible=True, which="major", axis=grid, alpha=0.25, linewidth=0.6, color=INK)  # type: ignore[arg-type]
    axis.set_axisbelow(True)
    axis.set(xlabel=label(x), ylabel=label(y))


def powers(axis: Axes, which: str) -> None:
    """Make the x or y axis logarithmic, with 10⁻³ as its labels: plain characters that need no mathematics."""
    from matplotlib.ticker import FuncFormatter

    (axis.set_xscale if which == "x" else axis.set_yscale)("log")
    side = axis.xaxis if which == "x" else axis.yaxis

    def name(value: float, _: int | None) -> str:
        exponent = round(math.log10(value)) if value > 0 else 0
        return f"10{str(exponent).translate(_SUPERSCRIPTS)}" if which == "y" else f"{value:g}"

    def between(value: float, _: int | None) -> str:
        low, high = sorted(side.get_view_interval())
        return f"{value:.2g}" if which == "y" and 0 < high < 10 * low else ""

    side.set_major_formatter(FuncFormatter(name))
    side.set_minor_formatter(FuncFormatter(between))  # Less than a decade may hold no power of ten.


def legend(figure: Figure, *, columns: int = 4, where: Legend = "outside upper center") -> None:
    """Explain every line and mark of a figure once, in the order of their first appearance; nothing for none."""
    known: dict[str, Any] = {}
    for axis in figure.axes:
        handles, labels = axis.get_legend_handles_labels()
        for name, handle in zip(labels, handles, strict=True):
            known.setdefault(name, handle)
    if known:
        ncols = min(columns, len(known))
        figure.legend(
            list(known.values()), list(known), loc=where, ncols=ncols, frameon=False, fontsize="small"
        )


def save(figure: Figure, path: Path | str) -> None:
    """Write a figure; the ending says in which format (png, svg, pdf).

    Raises:
        ValueError: an ending that matplotlib has no writer for.
        OSError: the file cannot be written.
    """
    # Without dates and random names in it, the same numbers give the same bytes.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(Path(path).suffix.lower()[1:])
    with drawing():
        figure.savefig(path, dpi=150, metadata=metadata, facecolor="white")


def svg(figure: Figure, *, name: str, title: str, page: bool = True) -> str:
    """Return a figure as SVG text, without scripts, style sheets, fonts, dates or random names.

    Args:
        figure: what to draw.
        name: letters that no other figure on the page has; its ids begin with it.
        title: what the figure shows, for those who cannot see it.
        page: for the text of an HTML page, whose colour and font it takes; else a file of its own, which chooses
            its ink by whether the reader prefers dark.
    """
    import matplotlib

    text = io.StringIO()
    with drawing(), matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(
            text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    root = ElementTree.fromstring(text.getvalue())
    for parent in root.iter():
        for child in [c for c in parent if c.tag.rpartition("}")[2] in ("metadata", "style")]:
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = _plain(element.attrib, name)
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    root.attrib = {
        "xmlns": _SVG, "viewBox": f"0 0 {width:g} {height:g}", "role": "img",
        "width": f"{width * _PIXELS_PER_POINT:.0f}", "height": f"{height * _PIXELS_PER_POINT:.0f}",
        "aria-labelledby": f"{name}-title", "stroke-linejoin": "round", "stroke-linecap": "butt",
        "font-family": "inherit" if page else "system-ui, sans-serif",
    }  # fmt: skip
    heading = ElementTree.Element("title", {"id": f"{name}-title"})
    heading.text = _one_line(title)
    root.insert(0, heading)
    if not page:
        style = ElementTree.Element("style")
        style.text = "svg{color:#3d4148}@media(prefers-color-scheme:dark){svg{color:#c9d1d9}}"
        root.insert(1, style)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def _plain(attributes: Mapping[str, str], name: str) -> dict[str, str]:
    """Return attributes with styles as attributes of their own (a page may forbid style), and ids made unique."""
    plain: dict[str, str] = {}
    for key, value in attributes.items():
        if key == "style":
            pairs = (part.partition(":") for part in value.split(";") if part.strip())
            plain |= {property_.strip(): setting.strip() for property_, _, setting in pairs}
        elif key == f"{_XLINK}href":
            plain["href"] = value.replace("#", f"#{name}-", 1)
        elif key == "id":
            plain["id"] = f"{name}-{value}"
        elif not key.startswith("{"):
            plain[key] = value
    plain.pop("font-family", None)
    for key, value in plain.items():
        if value.lower() == INK:
            plain[key] = "currentColor"
        elif "url(#" in value:
            plain[key] = re.sub(r"url\(#", f"url(#{name}-", value)
    return plain
