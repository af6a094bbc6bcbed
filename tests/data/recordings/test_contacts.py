"""The grammar of channel names."""

import pytest

from brant_hf.data.recordings.contacts import (
    bare_name,
    bipolar_pairs,
    channels_meant,
    differences_among,
    match_names,
    name_key,
    names_in_file,
    shaft_of,
    split_contact_name,
)


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
        # Of OpenNeuro ds004789, ds005398 and ds004752.
        ("3LD5", ("3LD", 5)),
        ("11LD3", ("11LD", 3)),
        ("POL 4D2", ("4D", 2)),
        ("3LD5-3LD6", None),
        ("_GL_A1", ("GL_A", 1)),
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


def test_a_reference_that_all_have_makes_no_pairs():
    # As Micromed exports them: G2 is the reference of its headbox.
    names = [*(f"EEG A'{number}-G2" for number in (1, 2, 3, 4)), "B1-G2", "B2-G2", "Fz-G2", "ECG1+-ECG1-"]
    pairs, alone = bipolar_pairs(names)
    assert pairs == [
        ("A'1-A'2", names[0], names[1]),
        ("A'2-A'3", names[1], names[2]),
        ("A'3-A'4", names[2], names[3]),
        ("B1-B2", "B1-G2", "B2-G2"),
    ]
    assert list(alone) == ["Fz-G2", "ECG1+-ECG1-"]
    assert channels_meant("A'2", names) == [names[1]]
    # Pairs of neighbours, and of a contact with several others of its shaft.
    chain = [f"G{number}-G{number + 1}" for number in range(1, 9)]
    for pairs_of_file in (chain, [f"G{number}-G2" for number in (1, 3, 4, 5, 6, 7, 8)]):
        assert bipolar_pairs(pairs_of_file)[0] == []


def test_a_name_that_is_nothing_but_a_prefix_is_left_as_it_is():
    assert bare_name("POL") == "POL"
    assert bare_name("EEG") == "EEG"


@pytest.mark.parametrize(
    ("name", "shaft"),
    [
        ("LA1", "LA"),
        ("EEG-LA2", "LA"),
        ("A'1-A'2", "A'"),
        ("EEG A1-A2-Ref", "A"),
        ("A1-Org", "A"),
        ("Fz", "Fz"),
        ("3LD5-3LD6", "3LD"),
    ],
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
        ("LA1-2", ["EEG LA1-Ref", "EEG LA2-Ref"]),
        ("LA01", ["EEG LA1-Ref"]),
        ("POL B 02", ["B2"]),
    ],
)
def test_channels_that_a_name_in_a_table_means(written, meant):
    assert channels_meant(written, ["EEG LA1-Ref", "EEG LA2-Ref", "B1", "B2", "B1-B2"]) == meant


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("EEG la01-Ref", "la1"),
        ("LA 1", "la1"),
        ("LA_1", "la1"),
        ("A\N{PRIME}01", "a'1"),
        ("A'1", "a'1"),
        ("SEEG A01-A02-Ref", "a1-a2"),
        ("G2-12", "g2-12"),
        ("G21-2", "g21-2"),
        ("Fp1.", "fp1"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}1", "a1"),
    ],
)
def test_spellings_of_one_contact_have_one_key(name, key):
    assert name_key(name) == key


ALL = ["A1-0", "B1", "A1-1", "A2", "B2"]


@pytest.mark.parametrize("left_out", [None, *ALL])
def test_numbers_that_make_names_unique_are_no_contact_numbers(left_out):
    names = [name for name in ALL if name != left_out]
    expected = {"A1-0": "A1", "A1-1": "A1"}
    assert names_in_file(names, ALL) == {name: expected.get(name, name) for name in names}
    pairs, alone = bipolar_pairs(names, ALL)
    first = "A1-1" if left_out == "A1-0" else "A1-0"
    wanted = [("A1-A2", first, "A2"), ("B1-B2", "B1", "B2")]
    assert sorted(pairs) == [pair for pair in wanted if left_out not in pair]
    if left_out is None:
        assert alone == {"A1-1": "same contact as A1-0"}
    assert {shaft_of(name, ALL) for name in names} == {"A", "B"}


def test_a_numbered_name_is_known_by_its_shaft_where_the_other_is_not_there():
    assert bipolar_pairs(["A1-1", "A2"])[0] == [("A1-A2", "A1-1", "A2")]


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["G2-12", "G2-13"], ["G2-12-G2-13"]),
        (["ECOG-1", "ECOG-2"], ["ECOG1-ECOG2"]),
        ([f"G1-{number}" for number in range(5)], [f"G1-{number}-G1-{number + 1}" for number in range(4)]),
    ],
)
def test_numbers_that_the_file_itself_writes_after_a_hyphen_are_contacts(names, pairs):
    assert [pair[0] for pair in bipolar_pairs(names)[0]] == pairs
    assert {shaft_of(pair) for pair in pairs} == {shaft_of(name) for name in names}


@pytest.mark.parametrize(
    ("written", "names", "places", "doubtful"),
    [
        (["LA2", "LA1"], ["EEG LA1-Ref", "EEG LA2-Ref"], {0: 1, 1: 0}, {}),
        (["LA1", "LA01"], ["EEG LA1-Ref", "POL LA01"], {0: 0, 1: 1}, {}),
        (["LA1"], ["LA-1", "LA01"], {}, {"LA1": ["LA-1", "LA01"]}),
        (["LA1", "la1"], ["LA01"], {}, {"LA1": ["LA01"], "la1": ["LA01"]}),
        (["A1", "A1"], ["EEG A1-Ref-0", "B1", "EEG A1-Ref-1"], {0: 0, 1: 2}, {}),
        (["A1", "A1", "B1"], ["A1", "B1"], {2: 1}, {"A1": ["A1"]}),
        (["A1", "B1"], ["A1-0", "B1", "A1-1"], {1: 1}, {"A1": ["A1-0", "A1-1"]}),
        (["C1"], ["A1"], {}, {}),
    ],
)
def test_names_of_a_table_are_matched_one_for_one(written, names, places, doubtful):
    assert match_names(written, names) == (places, doubtful)


@pytest.mark.parametrize(
    "form",
    [
        "LA{0}-LA{1}",
        "LA{0} - LA{1}",
        "EEG LA{0}-EEG LA{1}",
        "LA{0}-LA{1}-Ref",
        "LA{0}\N{EN DASH}LA{1}",
        "LA{0}/LA{1}",
        "LA'{0}-LA'{1} bip",
        "LA{0}_LA{1}",
        "LA{0}LA{1}",
        "LA0{0}-0{1}",
        "LA {0}-{1}",
    ],
)
def test_channels_that_are_differences_already(form):
    names = [form.format(number, number + 1) for number in (1, 2, 3)]
    assert differences_among([*names, "RB1", "RB2", "EKG"]) == names
    pairs, alone = bipolar_pairs([*names, "RB1", "RB2"])
    assert pairs == [("RB1-RB2", "RB1", "RB2")]
    assert alone == dict.fromkeys(names, "the difference of two contacts already")


@pytest.mark.parametrize(
    "names",
    [
        ["G1-1", "G1-2", "G1-3", "G2-1", "G2-2", "G2-3"],
        ["LA11", "LA12", "LA13", "LA21", "LA22"],
        ["ECOG-1", "ECOG-2", "ECOG-3"],
        ["A1-G2", "A2-G2", "A3-G2", "B1-G2", "B2-G2", "B3-G2"],
        ["LA1-A1A2", "LA2-A1A2", "LA3-Common Ref", "LA4-Vref", "LA5-average"],
        ["L1_A1", "L1_A2", "L2_A1", "L2_A2"],
        ["A1A1", "A1A2", "A1A3", "A2A1", "A2A2"],
        ["TP_7", "TP_8", "3LD5", "3LD6"],
    ],
)
def test_contacts_are_no_differences(names):
    assert differences_among(names) == []


def test_one_difference_of_scalp_places():
    assert differences_among(["Fz-Cz", "Fp1-F7", "A1-A2-0", "A1-A2-1", "LA1"]) == [
        "Fz-Cz",
        "Fp1-F7",
        "A1-A2-0",
        "A1-A2-1",
    ]
