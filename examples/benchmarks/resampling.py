"""Compare resamplers for the feature extractor: gain in the passband, leakage of aliases, speed.

Run: python examples/benchmarks/resampling.py
"""

import time
from collections.abc import Callable
from fractions import Fraction

import mne
import numpy as np
import soxr
from scipy.signal import resample_poly

TARGET_RATE = 250.0
DURATION_S = 90.0
NUM_CHANNELS = 64


def with_soxr(signal: np.ndarray, rate: float) -> np.ndarray:
    return soxr.resample(signal.T, rate, TARGET_RATE, quality="HQ").T


def with_polyphase(signal: np.ndarray, rate: float) -> np.ndarray:
    ratio = Fraction(TARGET_RATE / rate).limit_denominator(20000)
    return resample_poly(signal, ratio.numerator, ratio.denominator, axis=-1)


def with_mne(signal: np.ndarray, rate: float) -> np.ndarray:
    resampled = mne.filter.resample(signal.astype(float), up=TARGET_RATE / rate, npad="auto", verbose="error")
    return resampled.astype(np.float32)


RESAMPLERS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "soxr HQ": with_soxr,
    "scipy.signal.resample_poly": with_polyphase,
    "mne.filter.resample": with_mne,
}


def sine_level_db(resample: Callable[[np.ndarray, float], np.ndarray], frequency: float, rate: float) -> float:
    """Level after resampling of a sine of unit amplitude, in dB, without the first and last 5 s."""
    times = np.arange(int(DURATION_S * rate)) / rate
    sine = np.sin(2 * np.pi * frequency * times)[None].astype(np.float32)
    settled = resample(sine, rate)[0, int(5 * TARGET_RATE) : -int(5 * TARGET_RATE)]
    return 20 * np.log10(np.sqrt(2 * np.mean(settled.astype(float) ** 2)) + 1e-12)


def seconds(resample: Callable[[np.ndarray, float], np.ndarray], rate: float) -> float:
    signal = np.random.default_rng(0).standard_normal((NUM_CHANNELS, int(DURATION_S * rate))).astype(np.float32)
    resample(signal, rate)
    start = time.perf_counter()
    for _ in range(3):
        resample(signal, rate)
    return (time.perf_counter() - start) / 3


def main() -> None:
    nyquist = TARGET_RATE / 2
    print(f"{NUM_CHANNELS} channels x {DURATION_S:.0f} s to {TARGET_RATE:.0f} Hz; time relative to soxr HQ")
    print("| rate (Hz) | resampler | gain at 60 Hz (dB) | gain at 110 Hz (dB) | alias of 140 Hz (dB) | time |")
    print("|---|---|---|---|---|---|")
    for rate in (173.61, 512.0, 1000.0, 2000.0, 5000.0):
        baseline = seconds(with_soxr, rate)
        for name, resample in RESAMPLERS.items():
            levels = [
                f"{sine_level_db(resample, frequency, rate):.1f}" if frequency < rate / 2 else "-"
                for frequency in (60.0, 110.0, nyquist + 15)
            ]
            print(f"| {rate:g} | {name} | {' | '.join(levels)} | {seconds(resample, rate) / baseline:.1f} |")


if __name__ == "__main__":
    main()
