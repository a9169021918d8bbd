from evolve.texts import cell, shown, unified


def test_a_unified_diff():
    assert unified("a\nb\n", "a\nc\n", "old", "new") == "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert unified("a\n", "a\n", "old", "new") == ""
    assert unified("a", "b\n", "old", "new").splitlines()[3:] == ["-a", "\\ No newline at end of file", "+b"]


def test_control_characters_are_marked():
    assert shown("a\x1b[2J\tb\n") == "a\ufffd[2J\tb\n"


def test_no_cell_is_a_formula():
    assert cell("=1+1") == "'=1+1"
    assert cell("insert trend (rate=0.1)") == "insert trend (rate=0.1)"
    assert cell("") == ""
