"""Figures from plain records: what stands where, and what the files hold."""

import re
import subprocess
import sys

import pytest

pytest.importorskip("matplotlib")

from results import plots
from results.plots import Curve

GAMES = ("kuhn3", "leduc2", "goofspiel4", "liars_dice5", "kuhn2")


def curves(labels=("cfr", "cfr_plus"), panels=GAMES):
    return [
        Curve(label, panel, [(1, 1.0), (10, 0.1 / (k + 1)), (100, 0.01 / (k + 1))])
        for panel in panels
        for k, label in enumerate(labels)
    ]


def panels(figure):
    return {axis.get_title(): axis for axis in figure.axes if axis.get_title()}


def test_a_panel_per_game_and_a_line_per_program():
    found = panels(plots.exploitability(curves()))
    assert tuple(found) == GAMES
    for axis in found.values():
        assert [line.get_label() for line in axis.lines] == ["cfr", "cfr_plus"]
        assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert list(found["leduc2"].lines[1].get_xdata()) == [1, 10, 100]
    assert list(found["leduc2"].lines[1].get_ydata()) == [1.0, 0.05, 0.005]


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (1, 1)), (4, (1, 4)), (5, (2, 3)), (7, (2, 4)), (11, (3, 4))]
)
def test_panels_fill_rows_evenly(count, shape):
    figure = plots.exploitability(curves(panels=[f"game {k}" for k in range(count)]))
    assert figure.axes[0].get_gridspec().get_geometry() == shape
    assert len(panels(figure)) == count


def test_the_legend_has_every_program_once():
    uneven = [*curves(panels=["kuhn2"]), *curves(("cfr", "dcfr"), panels=["kuhn3"])]
    (legend,) = plots.exploitability(uneven).legends
    assert [text.get_text() for text in legend.get_texts()] == ["cfr", "cfr_plus", "dcfr"]


def test_a_program_looks_the_same_everywhere_and_like_no_other():
    labels = tuple(f"program {k}" for k in range(20))
    found = panels(plots.exploitability(curves(labels)))
    looks = [
        [
            (str(line.get_color()), line.get_linestyle(), str(line._unscaled_dash_pattern))
            for line in axis.lines
        ]
        for axis in found.values()
    ]
    assert all(look == looks[0] for look in looks)
    assert len(set(looks[0])) == 20


def test_highlighted_programs_are_thick_and_on_top():
    axis = panels(plots.exploitability(curves(), highlight=["cfr_plus"]))["kuhn2"]
    plain, bold = axis.lines
    assert bold.get_linewidth() > plain.get_linewidth()
    assert bold.get_zorder() > plain.get_zorder()


def test_values_that_a_log_axis_has_no_place_for_are_drawn_at_the_bottom():
    figure = plots.exploitability([Curve("cfr", "kuhn2", [(1, 0.5), (10, 0.0), (100, -4e-16)])])
    assert list(panels(figure)["kuhn2"].lines[0].get_ydata()) == [0.5, plots.SMALLEST, plots.SMALLEST]


def test_title():
    assert (
        plots.exploitability(curves(), title="after 100 iterations").get_suptitle() == "after 100 iterations"
    )


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_saved_files_are_what_their_name_says_and_repeat(tmp_path, ending, magic):
    written = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{ending}"
        plots.save(plots.exploitability(curves(panels=["kuhn2"])), path)
        written.append(path.read_bytes())
    assert written[0].startswith(magic)
    assert written[0] == written[1]


def test_an_svg_names_games_and_programs(tmp_path):
    plots.save(plots.exploitability(curves(panels=["kuhn2"])), tmp_path / "a.svg")
    comments = re.findall(r"<!-- (.*?) -->", (tmp_path / "a.svg").read_text())
    assert {"kuhn2", "cfr", "cfr_plus", "iteration", "exploitability"} <= set(comments)


def test_importing_the_module_needs_no_matplotlib():
    code = "import sys; import results.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
