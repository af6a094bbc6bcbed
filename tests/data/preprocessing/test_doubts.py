import re
import warnings

import numpy as np
import pytest

from brant_hf.data import open_recording, preprocess


def told_of(signal, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = [f"A{place + 1}" for place in range(len(signal))]
        preprocess(open_recording(signal, 200, names, seizures=[], **options))
    return [str(each.message) for each in caught if each.category is UserWarning]


@pytest.mark.parametrize(
    ("factor", "unit", "remedy"),
    [
        (1, "uV", None),
        (0.05, "uV", None),
        (15, "uV", None),
        (1e-3, "uV", "if the numbers in the file are mV, say so (unit='mV')"),
        (1e-3, "mV", None),
        (1e3, "uV", "if the numbers in the file are nV, say so (unit='nV')"),
        (1e-9, "V", "(gain=1000)"),
    ],
)
def test_an_unusual_amplitude_is_told_with_what_is_likely(noise, factor, unit, remedy):
    told = told_of(noise(2, 4000) * factor, unit=unit)
    assert bool(told) == (remedy is not None)
    assert remedy is None or remedy in told[0]


def test_volts_taken_as_microvolts_are_flat_and_the_remedy_is_told(noise):
    with pytest.raises(ValueError, match=r"is flat .*if the numbers in the file are V, say so \(unit='V'\)"):
        told_of(noise(2, 4000) * 1e-6, unit="uV")


def test_channels_that_stand_out_are_told(noise):
    signal = noise(8, 4000)
    signal[2] *= 40
    signal[5:7] /= 100
    (told,) = told_of(signal)
    assert re.search(
        "A3 is at least (39|4[01]) times louder than the median .*; A6, A7 are at least (9|1).* quieter", told
    )
    assert "bad=['A3', 'A6', 'A7']" in told
    assert told_of(signal[:3]) == []
    assert told_of(np.delete(signal, [2, 5, 6], 0)) == []


def test_channels_that_are_cut_off_are_told():
    time = np.arange(8000) / 200
    signal = 100 * np.sin(2 * np.pi * np.array([[3.0], [3.1], [3.2]]) * time)
    # A sine of 3 Hz is above 0.9 of its amplitude for 9.6 samples of 5 ms on end, above 0.99 for 3.
    low, high = signal.copy(), signal.copy()
    low[1], high[1] = np.clip(signal[1], -90, None), np.clip(signal[1], None, 90)
    for cut in (low, high):
        (told,) = told_of(cut)
        assert re.search(r"A2 lies at the highest or lowest value for 1% .* \(bad=\['A2'\]\)", told)
    assert told_of(np.clip(signal, -99, 99)) == []
    # A limit that one stretch alone reaches is that of all of them.
    late = signal.copy()
    late[2, 7000:] = 2 * np.clip(signal[2, 7000:], -90, 90)
    assert len(told_of(late)) == 1
    late[2, 100:102] = 500, -500
    assert told_of(late) == []


def test_copies_of_channels_are_told(noise):
    signal = noise(4, 4000)
    signal[[1, 3]] = signal[[0, 2]]
    (told,) = told_of(signal)
    assert "(A2 those of A1, A4 those of A3)" in told
    assert "bad=['A2', 'A4']" in told
    signal[[1, 3], 7] += 1
    assert told_of(signal) == []
    signal[1] = signal[3] = 0
    assert not any("samples of others" in each for each in told_of(signal))
