import warnings

import numpy as np
import pytest

from brant_hf.data import inspect_recording
from brant_hf.data.recordings.opening import recording_of_source
from brant_hf.data.recordings.source import Source

RATE = 100.0


def opened(units, deviations, unit=None, silent_until=0, seconds=20, gain=1.0):
    """A recording of noise with these standard deviations of the stored numbers, and what was said of it."""
    numbers = np.random.default_rng(0).standard_normal((len(deviations), round(seconds * RATE)))
    numbers *= np.array(deviations)[:, None] / numbers.std(axis=1, keepdims=True)
    numbers[:, : round(silent_until * RATE)] = 0
    source = Source(
        name="rec",
        subject="p",
        num_samples=numbers.shape[1],
        sampling_rate=RATE,
        channel_count=len(numbers),
        read=lambda channels, start, stop: numbers[channels, start:stop],
        unit=units,
        channel_names=[f"A{place + 1}" for place in range(len(numbers))],
        channel_types=["seeg"] * len(numbers),
        types_stated=True,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recording = recording_of_source(source, unit=unit, gain=gain)
    return recording, [str(each.message) for each in caught]


def microvolts(recording):
    return recording.read().std(axis=1).tolist()


@pytest.mark.parametrize(
    ("units", "numbers", "expected", "told"),
    [
        # Stated, and borne out.
        (["uV", "UV", "mV", "V", "nV", "10uV"], [50, 60, 0.05, 5e-5, 5e4, 5], [50, 60, 50, 50, 50, 50], ""),
        (["mV"] * 3, [0.3, 0.02, 4], [300, 20, 4000], ""),
        # Not stated, among others that are.
        (["uV"] * 15 + [""], [50] * 16, [50] * 16, "A16"),
        (["uV"] * 4 + ["", "?", "x", ""], [50] * 5 + [0.02, 2e-4, 900], [50] * 5 + [20, 200, 900], "A5 A6 A7 A8"),
        (["mV"] * 3 + [""], [0.05] * 4, [50] * 4, "A4"),
        # Stated by none.
        ([""] * 3, [2e-5, 5e-5, 3e-4], [20, 50, 300], "A1 A2 A3"),
        ([""] * 3, [0.02, 0.05, 0.3], [20, 50, 300], "A1 A2 A3"),
        ([""] * 4, [50, 40, 60, 3000], [50, 40, 60, 3000], "A1 A2 A3 A4"),
        ([""] * 4, [50, 40, 5e-5, 4e-5], [50, 40, 50, 40], "A1 A2 A3 A4"),
        # Stated wrongly, by all, by some, and by one.
        (["V"] * 3, [0.05, 0.005, 0.3], [50, 5, 300], "A1 A2 A3"),
        (["V"] * 3, [50, 5, 300], [50, 5, 300], "A1 A2 A3"),
        (["uV"] * 3, [0.05, 0.02, 0.2], [50, 20, 200], "A1 A2 A3"),
        (["\xb5V"] * 3, [5e7, 2e7, 2e8], [50, 20, 200], "A1 A2 A3"),
        (["uV"] * 4, [50, 60, 5e-5, 4e-5], [50, 60, 50, 40], "A3 A4"),
        (["uV"] * 5 + ["mV"], [50] * 6, [50] * 6, "A6"),
        (["uV"] * 5 + ["V"], [50] * 5 + [0.05], [50] * 6, "A6"),
        (["uV"] * 5, [50] * 4 + [5e7], [50] * 5, "A5"),
        # Artefacts, quiet and silent channels, a residue of arithmetic.
        (["uV"] * 5, [50] * 4 + [3e4], [50] * 4 + [3e4], "A5"),
        (["uV"] * 5, [50] * 4 + [0.05], [50] * 4 + [0.05], "A5"),
        (["uV"] * 5, [50] * 3 + [0, 5e-6], [50] * 3 + [0, 5e-6], ""),
        (["V"] * 4, [0.05, 0.05, 0, 0.05], [50, 50, 0, 50], "A1 A2 A3 A4"),
        (["uV"] * 3 + [""], [50] * 3 + [0], [50] * 3 + [0], "A4"),
        # Open inputs.
        (["uV"] * 5, [20] + [0.2] * 4, [20] + [0.2] * 4, ""),
        (["uV"], [8e3], [8e3], "A1"),
        (["V"], [1e-12], [1e-6], "A1"),
    ],
)
def test_each_channel_has_its_own_unit(units, numbers, expected, told):
    recording, said = opened(units, numbers)
    np.testing.assert_allclose(microvolts(recording), expected, rtol=1e-3)
    assert len(said) == bool(told)
    for name in told.split():
        assert name in said[0]


def test_how_a_scale_is_known_stands_in_the_recording():
    recording, (said,) = opened(["mV", "mV", "", "%"], [0.05, 0.04, 60, 90])
    assert recording.units == ["mV", "mV", ""]
    assert recording.scales == [1000.0, 1000.0, 1.0]
    assert recording.scales_from == ["file", "file", "amplitude"]
    assert list(recording.excluded_channels) == ["A4"]
    assert "the unit of A3 is not stated" in said
    assert 'unit={"A3": "uV", ...}' in said
    channels = inspect_recording(recording)["channels"]
    assert [(each["scale"], each["scale_from"]) for each in channels][1:] == [(1000.0, "file"), (1.0, "amplitude")]


def test_a_channel_that_no_unit_makes_plausible_is_left_out():
    recording, said = opened(["uV"] * 4, [50, 40, 60, 3e5])
    assert recording.channel_names == ["A1", "A2", "A3"]
    assert list(recording.excluded_channels) == ["A4"]
    assert recording.excluded_channels["A4"].endswith("mV (stated in uV), which no electrode records")
    assert said == []


@pytest.mark.parametrize("unit", [None, {"A3": "uV"}])
def test_channels_beside_one_that_is_left_out_are_read_at_their_scale(unit):
    recording, _ = opened(["uV", "uV", "mV", "uV"], [50, 3e5, 60 if unit else 0.06, 40], unit)
    assert recording.channel_names == ["A1", "A3", "A4"]
    np.testing.assert_allclose(microvolts(recording), [50, 60, 40], rtol=1e-3)
    assert len(recording.scales) == len(recording.scales_from) == 3


@pytest.mark.parametrize(
    ("units", "numbers", "unit", "expected"),
    [
        (["uV"] * 3 + [""], [50] * 3 + [0.3], {"A4": "mV"}, [50] * 3 + [300]),
        (["uV"] * 3 + [""], [50] * 3 + [3], {"A4": "mV"}, [50] * 3 + [3000]),
        # Given for all.
        (["uV"] * 3 + [""], [0.05] * 3 + [0.3], "mV", [50] * 3 + [300]),
        ([""] * 2, [3, 4], "mV", [3000, 4000]),
        (["V"] * 2, [0.05, 7], "mV", [50, 7000]),
        (["uV"] * 2, [5e7, 6e7], "uV", [5e7, 6e7]),
        (["mV"] * 2, [5e4, 6e4], "uV", [5e4, 6e4]),
        (["uV"] * 2, [50, 60], "uV", [50, 60]),
        (["uV"] * 2, [9e3, 9e3], "uV", [9e3, 9e3]),
        (["mV"] * 2, [50, 60], "uV", [50, 60]),
        ("uV", [9e6, 9e6], "uV", [9e6, 9e6]),
    ],
)
def test_what_the_user_gives_goes_before_everything(units, numbers, unit, expected):
    recording, said = opened(units, numbers, unit)
    np.testing.assert_allclose(microvolts(recording), expected, rtol=1e-3)
    assert said == []
    assert recording.scales_from[-1] == "given"


@pytest.mark.parametrize(
    ("unit", "numbers", "said_to_be"),
    [("V", 50, "uV"), ("V", 0.05, "mV"), ("mV", 50, "uV"), ("mV", 5e-5, "V"), ("uV", 0.05, "mV"), ("uV", 5e-5, "V"),
     ("", 0.05, "mV"), ("counts", 5e4, "nV")],
)  # fmt: skip
@pytest.mark.parametrize("as_on_the_command_line", [False, True])
def test_what_a_warning_says_to_pass_states_what_it_decided(unit, numbers, said_to_be, as_on_the_command_line):
    recording, (said,) = opened([unit] * 2, [numbers] * 2)
    assert f'Pass unit="{said_to_be}"' in said
    stated, said = opened([unit] * 2, [numbers] * 2, {"*": said_to_be} if as_on_the_command_line else said_to_be)
    np.testing.assert_allclose(stated.read(), recording.read())
    assert (microvolts(stated), said) == (pytest.approx([50, 50]), [])


def test_a_scale_without_a_unit_is_stated_by_a_gain():
    recording, (said,) = opened(["uV"] * 2, [5e7] * 2)
    assert "Pass gain=1e-06 to state that" in said
    assert recording.scales_from == ["amplitude"] * 2
    stated, said = opened(["uV"] * 2, [5e7] * 2, gain=1e-6)
    np.testing.assert_allclose(stated.read(), recording.read(), rtol=1e-6)
    assert (microvolts(stated), said) == (pytest.approx([50, 50]), [])
    assert stated.scales_from == ["given"] * 2


def test_units_of_channels_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"unit names \['B1'\]"):
        opened(["uV"], [50], {"B1": "uV"})


def test_a_recording_that_is_silent_at_first_is_looked_at_elsewhere():
    recording, (said,) = opened(["V"] * 2, [0.05, 0.05], silent_until=60, seconds=100)
    assert recording.scales == [1000.0, 1000.0]
    assert "A1, A2" in said
    _, (said,) = opened(["V"] * 2, [0, 0], seconds=100)
    assert "silent" in said
