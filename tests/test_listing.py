import pytest

from brant_hf.listing import listed


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
