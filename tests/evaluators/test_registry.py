"""Domains by name, by folder, and those that live in one process."""

import pytest

from evaluators import registry
from evaluators.contract import InputError
from evaluators.registry import domain_names, domains, get_domain, register
from evaluators.testing import FakeDomain

DOMAIN = """
from evaluators.testing import FakeDomain
from beside import NAME

DOMAIN = FakeDomain(NAME)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "domain.py").write_text(DOMAIN)
    (tmp_path / "beside.py").write_text("NAME = 'besides'\n")
    return tmp_path


def test_ours_are_known_by_name():
    assert {"cfr", "psro"} <= set(domain_names())
    assert domains().keys() == set(domain_names())
    assert get_domain("cfr") is get_domain("cfr")
    assert get_domain("cfr").origin == "cfr"


def test_an_unknown_name_has_a_nearest():
    with pytest.raises(InputError) as caught:
        get_domain("csr")
    assert "a folder with a file domain.py; got 'csr'" in caught.value.message
    assert caught.value.hint == "Did you mean 'cfr'?"


def test_a_folder_is_loaded_once_with_what_lies_beside(folder):
    domain = get_domain(str(folder))
    assert domain.name == "besides"
    assert domain.origin == str(folder)
    assert get_domain(str(folder)) is domain
    assert "besides" not in domain_names()


def test_a_folder_is_found_from_wherever_a_command_runs(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert registry.reference(folder.name) == str(folder)
    assert registry.reference("cfr") == "cfr"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "does not load: ZeroDivisionError"),
        ("x = 1", "to have DOMAIN, an instance of .*TaskDomain; got NoneType"),
        ("class DOMAIN: ...", "got type"),
        ("def (", "does not load: SyntaxError"),
    ],
)
def test_a_folder_without_a_domain(tmp_path, text, message):
    (tmp_path / "domain.py").write_text(text)
    with pytest.raises(InputError, match=message):
        get_domain(str(tmp_path))


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="there is none") as caught:
        get_domain(str(tmp_path / "nothing"))
    assert f"evolve new {tmp_path / 'nothing'}" in caught.value.hint


def test_a_live_domain_is_known_in_this_process():
    first, second = FakeDomain("alive"), FakeDomain("alive")
    register(first)
    assert get_domain("alive") is first
    register(second)
    assert get_domain("alive") is second
    assert "alive" not in domain_names()
    assert registry.reference("alive") == "alive"
