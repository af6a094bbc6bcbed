"""The grammar of channel names."""

import pytest

from brant_hf.data.recordings.contacts import bare_name, bipolar_pairs, channels_meant, shaft_of, split_contact_name


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
        ("ECOG-1", ("ECOG", 1)),
        ("EEG 12", None),
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


@pytest.mark.parametrize(
    ("name", "shaft"),
    [("LA1", "LA"), ("EEG-LA2", "LA"), ("A'1-A'2", "A'"), ("EEG A1-A2-Ref", "A"), ("A1-Org", "A"), ("Fz", "Fz")],
)
def test_shaft_of_contacts_and_pairs(name, shaft):
    assert shaft_of(name) == shaft


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("la1", ["EEG LA1-Ref"]),
        ("POL LA1", ["EEG LA1-Ref"]),
        ("EEG LA2-Ref", ["EEG LA2-Ref"]),
        ("LA1-LA2", ["EEG LA1-Ref", "EEG LA2-Ref"]),
        ("B1-B2", ["B1-B2"]),
        ("LA9", []),
        ("LA1-LA9", ["EEG LA1-Ref"]),
    ],
)
def test_channels_that_a_name_in_a_table_means(written, meant):
    assert channels_meant(written, ["EEG LA1-Ref", "EEG LA2-Ref", "B1", "B2", "B1-B2"]) == meant
