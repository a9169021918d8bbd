from evolve.source.diff import unified


def test_a_unified_diff():
    assert unified("a\nb\n", "a\nc\n", "old", "new") == "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert unified("a\n", "a\n", "old", "new") == ""
    assert unified("a", "b\n", "old", "new").splitlines()[3:] == ["-a", "\\ No newline at end of file", "+b"]
