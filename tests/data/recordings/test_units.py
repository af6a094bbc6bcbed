import pytest

from brant_hf.data.recordings.units import is_no_voltage, microvolts_stated


@pytest.mark.parametrize(
    ("factor", "spellings"),
    [
        (1.0, "uV|UV|\xb5V|\u03bcV|\xc2\xb5V|\xce\xbcV|?V|\ufffdV|u V|[uV]|(\xb5V)"),
        (1.0, "uV.|uVolt|uvolts|microvolts|microvol|Micro-Volt|\xe6V|\xecV"),
        (1.0, "Mikrovolt|mkV|mcV|\u043c\u043a\u0412|\u5fae\u4f0f|\u33b6|\uff55\uff36"),
        (1.0, "uV/bit|uV rms|1uV|1e-6 V|10^-6 V|V*1e-6|muV|uV\0|uV\0V"),
        (1e3, "mV|mv|MV|mV\0|mVolt|milliV|millivolts|millivol|\u043c\u0412|\u6beb\u4f0f|\u33b7|1000 uV|1e-3V"),
        (1e6, "V|v|Volt|volts|VOLTS"),
        (1e-3, "nV|NV|nanovolts"),
        (10.0, "10uV|10 \xb5V|1e-5 V"),
        (0.1, "0.1uV|.1 uV"),
    ],
)  # fmt: skip
def test_spellings_of_a_voltage(factor, spellings):
    assert {text: microvolts_stated(text) for text in spellings.split("|")} == {
        text: pytest.approx(factor) for text in spellings.split("|")
    }
    assert not any(map(is_no_voltage, spellings.split("|")))


def test_what_is_no_voltage_or_not_known():
    others = [
        "mmHg",
        "%",
        "degC",
        "bpm",
        "Ohm",
        "uA",
        "uV^2",
        "uV\N{SUPERSCRIPT TWO}",
        "uV/Hz",
        "V/m",
        "m",
        "s",
        "N",
        "nA",
        "pT",
        "fT/cm",
    ]
    unknown = ["", " ", "\0", "n/a", "counts", "adu", "BS", "0 uV", "1", "-", "kV", "NA", "unknown", "a.u."]
    assert [microvolts_stated(text) for text in others + unknown] == [None] * len(others + unknown)
    assert [is_no_voltage(text) for text in others + unknown] == [True] * len(others) + [False] * len(unknown)
