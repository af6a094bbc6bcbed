import pytest

from brant_hf.listing import counted, listed, markdown_table


@pytest.mark.parametrize(
    ("items", "options", "text"),
    [
        ([], {}, ""),
        (["A1", "A2"], {}, "A1, A2"),
        (range(6), {}, "0, 1, 2, 3, 4, 5"),
        ((name for name in "abcdefgh"), {}, "a, b, c, d, e, f and 2 more"),
        (["x: flat", "y: flat"], {"most": 1, "between": "; "}, "x: flat and 1 more"),
    ],
)
def test_long_lists_are_cut(items, options, text):
    assert listed(items, **options) == text


@pytest.mark.parametrize(("count", "text"), [(0, "no channels"), (1, "1 channel"), (2, "2 channels")])
def test_numbers_of_things_are_plain_english(count, text):
    assert counted(count, "channel") == text


def test_a_bar_in_a_cell_is_no_border_of_it():
    assert markdown_table(["a", "b"], [[1, "x|y"]]) == "| a | b |\n|---|---|\n| 1 | x\\|y |"
