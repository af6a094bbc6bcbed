"""The grammar of channel names."""

import pytest

from brant_hf.data.recordings.contacts import bare_name, bipolar_pairs, split_contact_name


@pytest.mark.parametrize(
    ("name", "contact"),
    [
        ("A1", ("A", 1)),
        ("A'12", ("A'", 12)),
        ("EEG LA1-GND", ("LA", 1)),
        ("EEG LA1-Ref", ("LA", 1)),
        ("A1-Org", ("A", 1)),
        ("EEG-LA2", ("LA", 2)),
        ("BIO A1", ("A", 1)),
        ("POL B10", ("B", 10)),
        ("POL EEG C3-Ref1", ("C", 3)),
        ("ieeg_TP_7", ("TP", 7)),
        ("SEEG H 4 AVG", ("H", 4)),
        ("A1-A2", None),
        ("Ref1", ("Ref", 1)),
        ("Fz", None),
    ],
)
def test_shaft_and_number_of_a_contact(name, contact):
    assert split_contact_name(name) == contact


def test_what_systems_put_around_names_keeps_neighbours_together():
    pairs, alone = bipolar_pairs(["EEG LA1-GND", "EEG LA2-GND", "EEG-LA3", "BIO A1", "A2-Org", "POL E"])
    assert [pair[0] for pair in pairs] == ["LA1-LA2", "LA2-LA3", "A1-A2"]
    assert list(alone) == ["POL E"]


def test_a_name_that_is_nothing_but_a_prefix_is_left_as_it_is():
    assert bare_name("POL") == "POL"
    assert bare_name("EEG") == "EEG"
