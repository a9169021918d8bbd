"""Figures from plain records: what stands where, and what the files hold."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from evaluators.records import SMALLEST, Metric, Score
from results import plots
from results.comparison import Comparison
from results.plots import Advantage, Curve
from results.progress import Trial

METRIC = Metric(
    "exploitability", "exploitability (NashConv / N)", "min", "log", 0.1, task="game", budget="iteration"
)
LINEAR = Metric("radii", "sum of radii", "max", "linear", 0.01, task="packing", budget="move")
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
    found = panels(plots.curves(curves(), METRIC))
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
    figure = plots.curves(curves(panels=[f"game {k}" for k in range(count)]), METRIC)
    assert figure.axes[0].get_gridspec().get_geometry() == shape
    assert len(panels(figure)) == count


def test_the_legend_has_every_program_once():
    uneven = [*curves(panels=["kuhn2"]), *curves(("cfr", "dcfr"), panels=["kuhn3"])]
    (legend,) = plots.curves(uneven, METRIC).legends
    assert [text.get_text() for text in legend.get_texts()] == ["cfr", "cfr_plus", "dcfr"]


def test_a_program_looks_the_same_everywhere_and_like_no_other():
    labels = tuple(f"program {k}" for k in range(20))
    found = panels(plots.curves(curves(labels), METRIC))
    styles = [
        [
            (str(line.get_color()), line.get_linestyle(), str(line._unscaled_dash_pattern))
            for line in axis.lines
        ]
        for axis in found.values()
    ]
    assert all(style == styles[0] for style in styles)
    assert len(set(styles[0])) == 20


def test_highlighted_programs_are_thick_and_on_top():
    axis = panels(plots.curves(curves(), METRIC, highlight=["cfr_plus"]))["kuhn2"]
    plain, bold = axis.lines
    assert bold.get_linewidth() > plain.get_linewidth()
    assert bold.get_zorder() > plain.get_zorder()


def test_values_that_a_log_axis_has_no_place_for_are_drawn_at_the_bottom():
    figure = plots.curves([Curve("cfr", "kuhn2", [(1, 0.5), (10, 0.0), (100, -4e-16)])], METRIC)
    assert list(panels(figure)["kuhn2"].lines[0].get_ydata()) == [0.5, SMALLEST, SMALLEST]


def test_title():
    assert (
        plots.curves(curves(), METRIC, title="after 100 iterations").get_suptitle() == "after 100 iterations"
    )


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_saved_files_are_what_their_name_says_and_repeat(tmp_path, ending, magic):
    written = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{ending}"
        plots.save(plots.curves(curves(panels=["kuhn2"]), METRIC), path)
        written.append(path.read_bytes())
    assert written[0].startswith(magic)
    assert written[0] == written[1]


def test_an_svg_names_games_and_programs(tmp_path):
    plots.save(plots.curves(curves(panels=["kuhn2"]), METRIC), tmp_path / "a.svg")
    comments = re.findall(r"<!-- (.*?) -->", (tmp_path / "a.svg").read_text())
    assert {"kuhn2", "cfr", "cfr_plus", "iteration", "exploitability"} <= set(comments)


def test_importing_the_module_needs_no_matplotlib():
    code = "import sys; import results.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def trial(ordinal, value, best, **changes):
    fields = {
        "ordinal": ordinal, "program_id": str(ordinal), "operator": "symbolic", "model": "", "island": ordinal % 2,
        "outcome": "timeout" if value is None else "ok", "parent": ordinal - 1 if ordinal else None, "value": value,
        "best": best, "gain": 0.0, "cpu_s": 1.0, "cost_usd": 0.5, "total_cpu_s": 1.0 + ordinal,
        "total_cost_usd": ordinal / 2,
    }  # fmt: skip
    return Trial(**fields | changes)


@pytest.fixture
def trials():
    return [
        trial(0, 1.0, 1.0, operator="seed"), trial(1, None, 1.0), trial(2, 3.0, 3.0, gain=2.0),
        trial(3, 2.0, 3.0, operator="llm"), trial(4, 3.5, 3.5, gain=0.5),
    ]  # fmt: skip


def lead(mean):
    return Comparison(program="mine", other="cfr", mean=mean, stderr=0.1)


def every_figure(trials):
    return {
        "best": plots.best_so_far(trials, objective="train", references={"cfr": 2.5}),
        "cost": plots.best_so_far(trials, objective="train", against="cost"),
        "islands": plots.islands({0: [(0, 1.0), (2, 3.0)], 1: [(3, 2.0)]}, objective="train"),
        "ancestry": plots.ancestry(trials, [0, 1, 2, 3, 4], objective="train"),
        "advantage": plots.advantages(
            [Advantage("cfr", lead(1.0), lead(0.5)), Advantage("dcfr", None, lead(-0.25))],
            unit="orders of magnitude",
        ),
        "curves": plots.curves(curves(panels=["kuhn2"]), METRIC),
    }


def test_best_so_far_is_a_line_and_candidates_are_dots(trials):
    axis = every_figure(trials)["best"].axes[0]
    line = next(line for line in axis.lines if line.get_label() == "best so far")
    assert list(zip(line.get_xdata(), line.get_ydata(), strict=True)) == [(0.0, 1.0), (2.0, 3.0), (4.0, 3.5)]
    dots = {c.get_label(): [tuple(p) for p in c.get_offsets()] for c in axis.collections}
    assert dots == {"symbolic": [(2.0, 3.0), (4.0, 3.5)], "llm": [(3.0, 2.0)]}


@pytest.mark.parametrize(("against", "last"), [("candidates", 4.0), ("cpu", 5.0), ("cost", 2.0)])
def test_what_the_best_is_drawn_against(trials, against, last):
    axis = plots.best_so_far(trials, objective="train", against=against).axes[0]
    assert max(axis.lines[0].get_xdata()) == last


def test_the_line_is_what_the_search_held_for_the_best_then(trials):
    """Scores that were the highest of their time may have been luck: they are dots, and no part of the line."""
    known = [(1, Score(1.0, 0.25)), (len(trials), Score(0.75, 0.125))]
    axis = plots.best_so_far(trials, objective="train", known=known).axes[0]
    (line,) = [one for one in axis.lines if one.get_label() == "best, as known then"]
    assert list(line.get_ydata()) == [1.0, 0.75, 0.75]
    assert list(line.get_xdata()) == [trials[0].ordinal, trials[-1].ordinal, trials[-1].ordinal]


def test_the_way_to_the_best_is_drawn_out(trials):
    axis = every_figure(trials)["ancestry"].axes[0]
    assert list(axis.lines[0].get_xdata()) == [0, 2, 3, 4]  # what has no score is left out
    assert {text.get_text() for text in axis.texts} == {"0", "2", "3", "4"}


def test_many_candidates_are_few_elements():
    found = [trial(k, 1.0 + k % 7, 7.0, gain=1.0 if k == 5 else 0.0) for k in range(10_000)]
    drawn = plots.svg(plots.best_so_far(found, objective="train"), name="a", title="many")
    assert drawn.count("<use") < 1600


def test_svg_is_the_same_to_the_byte_and_carries_no_style(trials):
    first, second = (
        {name: plots.svg(figure, name=name, title=name) for name, figure in every_figure(trials).items()}
        for _ in range(2)
    )
    assert first == second
    for name, text in first.items():
        root = ElementTree.fromstring(text)
        assert root.attrib["viewBox"].startswith("0 0 ")
        assert root.attrib["aria-labelledby"] == f"{name}-title"
        assert "currentColor" in text
        assert not re.search(r"<style|style=|<script|<metadata|xlink|font-family=\"(?!inherit)", text)
        assert re.findall(r"https?:[^\"]*", text) == ["http://www.w3.org/2000/svg"]
        ids = re.findall(r' id="(.*?)"', text)
        assert len(ids) == len(set(ids))
        assert all(i.startswith(f"{name}-") for i in ids)
        assert set(re.findall(r"#([a-zA-Z][\w.-]*-[\w.-]+)[\")]", text)) <= set(ids)


def test_a_file_chooses_its_ink(trials):
    text = plots.svg(plots.best_so_far(trials, objective="train"), name="a", title="t", page=False)
    assert "prefers-color-scheme:dark" in text


@pytest.mark.parametrize("name", ["$x_{1", "a\x1b[31m\nb", "<script>&", "\u6f22\u5b57", "x" * 500, ""])
def test_names_are_only_text(name, trials):
    figure = plots.best_so_far(
        [t._replace(operator=name) for t in trials], objective=name, references={name: 1.0}
    )
    text = plots.svg(figure, name="a", title=name)
    ElementTree.fromstring(text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert len(text) < 40_000


def test_nothing_to_draw():
    for figure in (
        plots.best_so_far([], objective="train"), plots.advantages([], unit="units"),
        plots.islands({}, objective="train"), plots.ancestry([], [], objective="train"),
    ):  # fmt: skip
        assert plots.svg(figure, name="a", title="empty").startswith("<svg")


def test_a_style_is_kept_for_what_a_figure_is_about():
    found = plots.styles(["cfr", "discovered", "dcfr"], ["discovered"])
    assert found["discovered"].strong
    assert found["discovered"].colour not in {found["cfr"].colour, found["dcfr"].colour}
    assert plots.colours(["a", "b"])["a"] == plots.colours(["a"])["a"]


def test_a_linear_metric_has_linear_axes_in_its_own_words():
    figure = plots.curves([Curve("greedy", "circles", [(1, -0.5), (10, 0.0), (100, 2.5)])], LINEAR)
    axis = panels(figure)["circles"]
    assert (axis.get_xscale(), axis.get_yscale()) == ("linear", "linear")
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("move", "radii")
    assert list(axis.lines[0].get_ydata()) == [-0.5, 0.0, 2.5]


def test_standard_errors_are_bars_at_the_last_points():
    points = [(1, 5.0), (10, 4.0), (100, 3.0)]
    (bars,) = panels(plots.curves([Curve("a", "p", points, (0.5,))], LINEAR))["p"].containers
    ((low, high),) = bars.lines[2][0].get_segments()
    assert (list(low), list(high)) == ([100.0, 2.5], [100.0, 3.5])
    exact = panels(plots.curves([Curve("a", "p", points, (0.0,))], LINEAR))["p"]
    assert exact.containers == []


def test_programs_with_a_single_point_stand_side_by_side():
    drawn = [Curve(name, "p", [(500, value)], (0.25,)) for name, value in (("a", 2.0), ("b", 2.5))]
    figure = plots.curves(drawn, LINEAR)
    axis = panels(figure)["p"]
    assert [list(bars.lines[0].get_xdata()) for bars in axis.containers] == [[0], [1]]
    assert [list(bars.lines[0].get_ydata()) for bars in axis.containers] == [[2.0], [2.5]]
    assert (list(axis.get_xticks()), axis.get_xlabel()) == ([], "")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]


def test_a_floor_is_a_level_line():
    drawn = [Curve(name, "p", [(1, 1.0), (10, 0.1)], floor=1e-3) for name in "ab"]
    axis = panels(plots.curves(drawn, METRIC))["p"]
    assert [list(line.get_ydata()) for line in axis.lines[2:]] == [[1e-3, 1e-3]]


def test_the_best_so_far_has_a_band_where_scores_are_noisy(trials):
    (exact,) = {len(plots.best_so_far(trials, objective="train").axes[0].collections)}
    noisy = [t._replace(best_stderr=0.25) for t in trials]
    axis = plots.best_so_far(noisy, objective="train").axes[0]
    band = axis.collections[exact]
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.75, 3.75)
