"""Settings of the preprocessing chain."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Settings of the chain; the same values are stored with a prepared dataset.

    Attributes
    ----------
    reference : {"none", "average", "bipolar"}
        `"none"`, `"average"` (mean of the channels that have a sample at that time) or `"bipolar"` (difference of
        neighbouring contacts of one electrode shaft).
    sampling_rate : float
        Rate of the output [Hz].
    line_noise : float, {"auto"} or None
        Frequency [Hz] of the line noise, removed with its harmonics; `"auto"` looks for 50 or 60 Hz in the spectrum of
        the recording and removes nothing when neither stands out; `None` removes nothing.
    notch_width : float
        Width [Hz] of each notch.
    high_pass : float or None
        Lower edge [Hz] of the band-pass, or `None`.
    low_pass : float or None
        Upper edge [Hz] of the band-pass, or `None`. An edge above the Nyquist frequency has no effect.
    max_gap : float
        Missing samples are interpolated over at most this long [s]; longer gaps come out as NaN.
    flat : {"drop", "keep"}
        `"drop"` leaves out channels that are flat in all of 8 stretches of 4 s spread over the recording, `"keep"`
        keeps them (needed for channels that are connected for a small part of a long recording only).
    flat_threshold : float
        A channel whose peak-to-peak amplitude in a stretch is at most this [microvolt] is flat there.
    amplitude_range : tuple[float, float] or None
        Lowest and highest typical amplitude [microvolt] of a recording, for those whose unit cannot be trusted; `None`
        leaves values as they are. The typical amplitude is the median, over the recorded channels and the stretches
        that are read to settle the chain, of the interquartile range in units of that of a normal distribution with
        standard deviation 1, of the signal without drift and line noise. Inputs with nothing connected, which are far
        below the others, do not count. Outside of the range, all channels are scaled by one factor.
    """

    reference: Literal["none", "average", "bipolar"] = "none"
    sampling_rate: float = 250.0
    line_noise: float | Literal["auto"] | None = "auto"
    notch_width: float = 2.0
    high_pass: float | None = 0.5
    low_pass: float | None = None
    max_gap: float = 0.1
    flat: Literal["drop", "keep"] = "drop"
    flat_threshold: float = 0.01
    amplitude_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.reference not in ("none", "average", "bipolar"):
            raise ValueError(f"reference is {self.reference!r}; choose 'none', 'average' or 'bipolar'")
        if self.flat not in ("drop", "keep"):
            raise ValueError(f"flat is {self.flat!r}; choose 'drop' or 'keep'")
        if isinstance(self.line_noise, str) and self.line_noise != "auto":
            raise ValueError(f"line_noise is {self.line_noise!r}; give a frequency in Hz, 'auto' or None")
        for name in ("sampling_rate", "line_noise", "notch_width", "high_pass", "low_pass"):
            value = getattr(self, name)
            if isinstance(value, (int, float)) and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; it must be a positive number of Hz")
        if self.amplitude_range is not None:
            # A tuple also where it comes from JSON, so that equal settings are equal.
            object.__setattr__(self, "amplitude_range", tuple(self.amplitude_range))
            values = self.amplitude_range
            if not (len(values) == 2 and 0 < values[0] <= values[1] < math.inf):
                raise ValueError(
                    f"amplitude_range is {self.amplitude_range}; it is a lowest and a highest amplitude in microvolts"
                )
        for name in ("max_gap", "flat_threshold"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be zero or more")
        if self.high_pass is not None and self.low_pass is not None and self.high_pass >= self.low_pass:
            raise ValueError(f"high_pass ({self.high_pass} Hz) must be below low_pass ({self.low_pass} Hz)")
        if self.high_pass is not None and self.high_pass >= self.sampling_rate / 2:
            raise ValueError(
                f"high_pass ({self.high_pass} Hz) must be below {self.sampling_rate / 2} Hz, half the rate"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-serialisable values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Preprocessing:
        """Make the settings from `to_dict`.

        Raises
        ------
        ValueError
            A setting is unknown or has a value that is not allowed.
        """
        unknown = sorted(set(settings) - {each.name for each in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"unknown preprocessing settings: {', '.join(unknown)}")
        return cls(**settings)
