"""Time of day in a recording whose beginning is known."""

from __future__ import annotations

import math
from datetime import datetime

_DAY_S = 86_400.0


def seconds_of_day(moment: datetime) -> float:
    """Return the time since midnight [s]."""
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6


def time_of_day(start: datetime, seconds: float, decimals: int = 0) -> str:
    """Return the time of day some seconds after a moment: `22:05:10`, and `01:05:10 (day 2)` after midnight."""
    ticks = round((seconds_of_day(start) + seconds) * 10**decimals)
    whole, fraction = divmod(ticks, 10**decimals)
    day = math.floor(whole / _DAY_S)
    text = f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return text + (f".{fraction:0{decimals}d}" if decimals else "") + (f" (day {day + 1})" if day else "")


def began(start: datetime) -> str:
    """Say when a recording began."""
    return f"the recording began {start:%Y-%m-%d %H:%M:%S}"
