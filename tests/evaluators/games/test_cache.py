"""The cache of compiled games: whole entries or none, repaired when damaged, safe with several processes."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from evaluators.games import cache
from evaluators.games import compile as compiler
from evaluators.games.suites import GAMES

LEDUC = GAMES["leduc2"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVOLVE_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def compilations(monkeypatch):
    """The game strings compiled during the test."""
    calls = []
    real = compiler.compile_game
    monkeypatch.setattr(compiler, "compile_game", lambda string: calls.append(string) or real(string))
    return calls


def flat(form):
    """Every array of a form, by name."""
    found = {}
    for name, value in [*vars(form).items(), *((f"tree{p}", t) for p, t in enumerate(form.trees))]:
        if isinstance(value, np.ndarray):
            found[name] = value
        elif dataclasses.is_dataclass(value):
            found |= {f"{name}.{k}": v for k, v in vars(value).items()}
    return found


@pytest.mark.parametrize("name", ["kuhn2", "leduc2", "goofspiel4", "blotto5_3p"])
def test_what_is_opened_is_what_was_compiled(name, compilations):
    compiled, opened = compiler.compile_game(GAMES[name]), cache.load(GAMES[name])
    again = cache.load(GAMES[name])
    assert compilations == [GAMES[name]] * 2  # once here, once for the cache
    for form in (opened, again):
        assert flat(form).keys() == flat(compiled).keys()
        for key, value in flat(compiled).items():
            assert value.dtype == flat(form)[key].dtype
            assert np.array_equal(value, flat(form)[key]), key
        assert form.infoset_keys(1) == compiled.infoset_keys(1)


def test_entries_are_memory_mapped():
    assert isinstance(cache.load(LEDUC).utility.base, np.memmap)


def test_writing_to_an_opened_array_stays_private():
    cache.load(LEDUC).utility[:] = 7.0
    assert not (cache.load(LEDUC).utility == 7.0).any()


def damage_missing_file(path):
    (path / "utility.npy").unlink()


def damage_truncated_file(path):
    os.truncate(path / "sequence.npy", 1000)


def damage_zeroed_page(path):
    with (path / "sequence.npy").open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))


def damage_index(path):
    (path / "index.json").write_text('{"game": ')


def damage_other_game(path):
    index = json.loads((path / "index.json").read_text())
    (path / "index.json").write_text(json.dumps(index | {"game": "kuhn_poker(players=2)"}))


def damage_index_gone(path):
    (path / "index.json").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_missing_file,
        damage_truncated_file,
        damage_zeroed_page,
        damage_index,
        damage_other_game,
        damage_index_gone,
    ],
)
def test_a_damaged_entry_is_rebuilt(damage, compilations):
    expected = cache.load(LEDUC).utility.copy()
    damage(cache.entry(LEDUC))
    assert np.array_equal(cache.load(LEDUC).utility, expected)
    assert np.array_equal(cache.load(LEDUC).utility, expected)
    assert compilations == [LEDUC] * 2  # the first load and the repair; the third opened what it wrote


def test_a_crash_while_writing_leaves_no_entry(monkeypatch, compilations):
    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache.json, "dumps", fail)
        with pytest.raises(KeyboardInterrupt):
            cache.load(LEDUC)
    assert not cache.entry(LEDUC).exists()
    assert list(cache.directory().iterdir()) == []
    cache.load(LEDUC)
    assert compilations == [LEDUC] * 2


def test_the_loser_of_a_race_uses_the_winners_entry(monkeypatch):
    """Another process stores the entry while this one compiles."""
    real = compiler.compile_game

    def compile_slowly(string):
        form = real(string)
        cache._write(cache.entry(string), form)
        return form

    monkeypatch.setattr(compiler, "compile_game", compile_slowly)
    assert isinstance(cache.load(LEDUC).utility.base, np.memmap)
    assert [path.name for path in cache.directory().iterdir()] == [cache.entry(LEDUC).name]


def test_processes_that_start_together_agree():
    code = f"from evaluators.games import cache; print(cache.load({LEDUC!r}).utility.sum(axis=1))"
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = {process.communicate(timeout=60)[0] for process in started}
    assert [process.returncode for process in started] == [0] * 3
    assert len(printed) == 1
    assert [path.name for path in cache.directory().iterdir()] == [cache.entry(LEDUC).name]


def test_an_unwritable_cache_costs_time_only(monkeypatch, own_cache):
    (own_cache / "file").write_text("")
    monkeypatch.setenv("EVOLVE_CACHE_DIR", str(own_cache / "file"))
    assert cache.load(LEDUC).num_terminals == 5_520


def test_format_version_and_game_string_name_the_entry(monkeypatch):
    before = cache.entry(LEDUC)
    assert before != cache.entry(GAMES["leduc3"])
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert before != cache.entry(LEDUC)


def test_opening_imports_no_openspiel():
    cache.load(LEDUC)
    code = (
        "import sys; from evaluators.games.loading import load; load('leduc2'); "
        "sys.exit('pyspiel' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_games_read_from_a_file_are_not_kept(tmp_path, compilations):
    path = tmp_path / "game.efg"
    text = 'EFG 2 R "" {{ "1" "2" }} ""\np "" 1 1 "" {{ "l" "r" }} 0\nt "" 1 "" {{ {0} 0 }}\n'
    path.write_text(text.format(1) + 't "" 2 "" { 0 0 }\n')
    string = f"efg_game(filename={path})"
    assert cache.load(string).utility.max() == 1
    path.write_text(text.format(2) + 't "" 2 "" { 0 0 }\n')
    assert cache.load(string).utility.max() == 2
    assert compilations == [string] * 2


def test_an_entry_says_how_long_compiling_took():
    assert cache.compile_seconds(LEDUC) is None
    cache.load(LEDUC)
    took = cache.compile_seconds(LEDUC)
    assert 0 < took < 60
    cache.load(LEDUC)
    assert cache.compile_seconds(LEDUC) == took


def test_an_entry_of_an_earlier_build_does_not_say():
    cache.load(LEDUC)
    path = cache.entry(LEDUC) / "index.json"
    index = json.loads(path.read_text())
    del index["compile_s"]
    path.write_text(json.dumps(index))
    assert cache.compile_seconds(LEDUC) is None
    assert cache.load(LEDUC).num_terminals == 5_520
