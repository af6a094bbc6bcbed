"""Units of stored values, and a check that amplitudes can be those of a brain."""

import re
import warnings
from collections.abc import Callable

import numpy as np

from ...signal_checks_brant import HIGHEST_PLAUSIBLE_SD, LOWEST_PLAUSIBLE_SD, typical_deviation

MICROVOLTS_PER_UNIT = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}

# Standard deviations of a brain [microvolts], as numbers that a writer has called volts.
_BRAIN_SD = (1.0, 5e3)
_SECONDS_LOOKED_AT = 2.0

# Units of what else is recorded of patients: pressure, share, temperature, rate, flow, light, length, time, ...
_NO_VOLTAGE = re.compile(
    r"mm ?hg|cm ?h2o|k?pa|m?bar|torr|%.*|percent|sat(uration)?|ppm|u?mol.*"
    r"|deg.*|\N{DEGREE SIGN}.*|[cfk]|celsius|rad(ians)?|bool(ean)?"
    r"|[br]pm|(beats|breaths|l|ml|1)? ?/ ?(m|min|minute|s|sec)|lpm|k?hz|m?l|g|m/s(\^?2)?|lux|lx|db"
    r"|k?ohms?|\N{GREEK CAPITAL LETTER OMEGA}|u?s|sec(onds?)?|ms|min|[cmu]?m|[munf]?[at]",
    re.IGNORECASE,
)


def ascii_unit(unit: str) -> str:
    """`"µV"` as `"uV"`. Two characters look like a micro sign, and both are in use."""
    return unit.strip().replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")


def microvolts_per(unit: str) -> float:
    """Factor from `unit` (`"V"`, `"mV"`, `"uV"` or `"µV"`, `"nV"`) to microvolts."""
    if ascii_unit(unit) not in MICROVOLTS_PER_UNIT:
        raise ValueError(f"Unknown unit {unit!r}: expected one of {', '.join(map(repr, MICROVOLTS_PER_UNIT))}")
    return MICROVOLTS_PER_UNIT[ascii_unit(unit)]


def is_no_voltage(unit: str) -> bool:
    """Whether a unit is known, and none of a voltage: that of a pressure, a temperature, a rate, ..."""
    return _NO_VOLTAGE.fullmatch(ascii_unit(unit)) is not None


def plausible_scale(
    read_samples: Callable[[int, int], np.ndarray],
    num_samples: int,
    sampling_rate: float,
    recording: str,
    may_rescale: bool,
) -> float:
    """Factor that the unit stated in a file needs: 1, or 1e-6 where what is stated as volts can only be microvolts.

    Looks at three stretches of 2 s: beginning, middle and end. Some writers leave the numbers in microvolts and state
    volts; with `may_rescale`, a million times the amplitude of a brain signal is taken as that, with a warning.

    Raises
    ------
    ValueError
        No electrode gives the median standard deviation of the channels (above 0.1 V).
    """
    length = min(num_samples, max(1, round(_SECONDS_LOOKED_AT * sampling_rate)))
    starts = sorted({0, (num_samples - length) // 2, num_samples - length})
    median = typical_deviation(read_samples(start, start + length) for start in starts)
    if median is None:
        return 1.0
    if median < LOWEST_PLAUSIBLE_SD:
        warnings.warn(
            f"{recording}: the median standard deviation of the channels is only {median:.3g} microvolts. If the "
            'values are stored in volts or millivolts, pass unit="V" or unit="mV"',
            stacklevel=2,
        )
    if median <= HIGHEST_PLAUSIBLE_SD:
        return 1.0
    low, high = _BRAIN_SD
    if not (may_rescale and low <= median * 1e-6 <= high):
        raise ValueError(
            f"{recording}: the median standard deviation of the channels is {median / 1e6:.3g} V, which no electrode "
            'records, so the unit stated in the file is wrong. Say what one stored "volt" really is: pass unit="uV", '
            'unit="mV" or unit="nV". Pass unit="V" to keep the values as they are.'
        )
    warnings.warn(
        f"{recording}: the median standard deviation of the channels is {median / 1e6:.3g} V, which no electrode "
        f"records; the values are taken as microvolts ({median / 1e6:.3g} microvolts). Pass unit=... to say what one "
        'stored "volt" really is',
        stacklevel=2,
    )
    return 1e-6
