"""Tables as text and as HTML."""

from tinygraph.tables import html_table, text_table


def test_columns_are_aligned():
    assert text_table([["a", "bb", "c"], ["dddd", "e", ""]]) == ["a     bb  c", "dddd  e"]
    assert text_table([["a", "1"], ["b", "22"]], right=[1]) == ["a   1", "b  22"]


def test_rows_of_different_lengths():
    assert text_table([["a"], ["b", "c"]]) == ["a", "b  c"]
    assert text_table([]) == []


def test_html_is_escaped():
    table = html_table([["<b>", "1"]], ["&", "n"])
    assert table == "<table><tr><th>&amp;</th><th>n</th></tr><tr><td>&lt;b&gt;</td><td>1</td></tr></table>"
