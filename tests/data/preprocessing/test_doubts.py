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
