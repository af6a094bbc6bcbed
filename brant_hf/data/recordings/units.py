"""Units of stored values: how files write them, and how many microvolts they are."""

import contextlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from ...listing import listed
from ...user_warnings import warn

MICROVOLTS_PER_UNIT = {"V": 1e6, "mV": 1e3, "uV": 1.0, "nV": 1e-3}

# Keys are written as `_bare` leaves them. A character lost on the way from one encoding to another (`?V`, `\ufffdV`,
# `\xc2V`) can only have been the micro sign; that of DOS (`\xe6`) and of Greek (`\xec`) looks like a letter. `mk` and
# `mc` stand for it where there is none.
_MICRO = (
    *("u", "\N{GREEK SMALL LETTER MU}", "micro", "mikro", "mu", "mk", "mc", "мк", "микро", "微"),
    *("?", "\ufffd", "\xe2", "\xe6", "\xec"),
)
_PREFIXES = {
    "": 1e6,
    **dict.fromkeys(("m", "milli", "м", "милли", "毫"), 1e3),
    **dict.fromkeys(_MICRO, 1.0),
    **dict.fromkeys(("n", "nano", "н", "нано", "纳"), 1e-3),
    **dict.fromkeys(("p", "pico"), 1e-6),
}
# Fields of EDF end after eight letters.
_VOLTS = ("v", "vol(?:ts?)?", "voltios?", "в", "вольт", "伏", "伏特")
_PREFIX = "|".join(map(re.escape, sorted(_PREFIXES, key=len, reverse=True)))
_NUMBER = r"\d*\.?\d+(?:e[+-]?\d+|\^-?\d+)?"
_VOLTAGE = re.compile(
    rf"[x*]?(?P<before>{_NUMBER})?[x*]?(?P<prefix>{_PREFIX})"
    rf"(?:{'|'.join(_VOLTS)})(?:[x*](?P<after>{_NUMBER}))?(?:/?(?:bit|lsb|count|digit)s?|rms|pp)?"
)

# Units of what else is recorded of patients: pressure, share, temperature, rate, flow, light, length, time, power, ...
_NO_VOLTAGE = re.compile(
    r"mm ?hg|cm ?h2o|k?pa|m?bar|torr|%.*|percent|sat(uration)?|ppm|u?mol.*"
    r"|deg.*|\N{DEGREE SIGN}.*|[cfk]|celsius|rad(ians)?|bool(ean)?"
    r"|[br]pm|(beats|breaths|l|ml|1)? ?/ ?(m|min|minute|s|sec)|lpm|k?hz|m?l|g|k?n|nm|m/s(\^?2)?|lux|lx|db"
    r"|k?ohms?|\N{GREEK CAPITAL LETTER OMEGA}|u?s|sec(onds?)?|ms|min|[cmu]?m|[munpf]?[at](/c?m)?"
    r"|[munf]?v(\^?2|\N{SUPERSCRIPT TWO}).*|[mun]?v ?/ ?(\N{SQUARE ROOT}|sqrt)?\(?(hz|m|mm|cm)\)?",
    re.IGNORECASE,
)


def ascii_unit(unit: str) -> str:
    """`"µV"` as `"uV"`. Two characters look like a micro sign, and both are in use."""
    text = unit.split("\0")[0].strip()
    return text.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")


def microvolts_per(unit: str) -> float:
    """Factor from `unit` (`"V"`, `"mV"`, `"uV"` or `"µV"`, `"nV"`), as a user gives it, to microvolts."""
    if ascii_unit(unit) not in MICROVOLTS_PER_UNIT:
        raise ValueError(f"Unknown unit {unit!r}: expected one of {', '.join(map(repr, MICROVOLTS_PER_UNIT))}")
    return MICROVOLTS_PER_UNIT[ascii_unit(unit)]


def microvolts_stated(unit: str) -> float | None:
    """Microvolts of one stored number, for a unit as files write it; `None` where it is no known voltage.

    Case does not count: `MV` are millivolts, since a brain has no megavolts. Neither does the encoding (UTF-8 read as
    Latin-1, a micro sign that was lost), what follows a NUL, or whether names are spelled out (`uVolt`, `microvolts`).
    A number in the unit does (`10uV`, `1e-6 V`).
    """
    match = _VOLTAGE.fullmatch(_bare(unit))
    if match is None:
        return None
    factor = _PREFIXES[match["prefix"]] * _number(match["before"]) * _number(match["after"])
    return factor if factor > 0 else None


def is_no_voltage(unit: str) -> bool:
    """Whether a unit is known, and none of a voltage: that of a pressure, a temperature, a rate, ..."""
    # `NA` is "not available"; nanoamperes are `nA`.
    return ascii_unit(unit) != "NA" and _NO_VOLTAGE.fullmatch(ascii_unit(unit)) is not None


def factors_entered(factors: Sequence[float] | np.ndarray, names: Sequence[str], recording: str) -> np.ndarray:
    """Units per stored number of each channel; 1, with a warning, where 0 or no number was entered."""
    stated = np.array(factors, float)
    missing = ~np.isfinite(stated) | (stated == 0)
    if missing.any():
        without = [name for name, absent in zip(names, missing, strict=True) if absent]
        warn(
            f"{recording}: no units conversion factor is entered for {listed(without)}; their numbers are taken as "
            "they are. Pass unit=... to say what one is"
        )
    return np.where(missing, 1.0, stated)


def _bare(unit: str) -> str:
    """Return a unit in one encoding and case, without spaces, brackets and the like."""
    text = unit.split("\0")[0]
    # UTF-8 that was decoded as Latin-1 (`Âµ`, `Î¼`).
    with contextlib.suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    text = unicodedata.normalize("NFKC", text).casefold()
    # Points end abbreviations, and hyphens join words, where they do not belong to a number.
    return re.sub(r"[\s()\[\]{}_'\"]|(?<![e^])-|(?<!\d)\.(?!\d)", "", text)


def _number(written: str | None) -> float:
    if not written:
        return 1.0
    base, power, exponent = written.partition("^")
    return float(base) ** float(exponent) if power else float(base)
