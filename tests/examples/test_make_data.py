"""Virtual patients of the shipped detector."""

import pytest
from make_data import TEST, more_test_groups


def test_further_test_groups_are_of_the_same_kinds_with_their_own_seeds():
    groups = more_test_groups([9700, 9710])
    assert [group.seed for group in groups] == [9700, 9701, 9702, 9703, 9710, 9711, 9712, 9713]
    assert [group.num_channels for group in groups] == [group.num_channels for group in TEST] * 2


@pytest.mark.parametrize(
    ("seeds", "taken"), [([9700, 9702], r"\[9702, 9703\]"), ([1018], r"\[1018, 1019\]"), ([4998], r"\[5000, 5001\]")]
)
def test_patients_of_another_group_are_refused(seeds, taken):
    with pytest.raises(ValueError, match=f"other groups have the seeds {taken}"):
        more_test_groups(seeds)
