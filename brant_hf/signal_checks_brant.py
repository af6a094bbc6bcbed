# Copyright 2026 The brant_hf authors. All rights reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Whether arrays can be intracranial signals in microvolts: channels before samples, amplitudes of a brain."""

from collections.abc import Iterable

import numpy as np

# Intracranial EEG has standard deviations of tens to hundreds of microvolts. A unit taken wrongly is off by 1000 or
# more, so the limits are far away from any real signal, seizures and artefacts included.
HIGHEST_PLAUSIBLE_SD = 1e5
LOWEST_PLAUSIBLE_SD = 1e-3


def check_orientation(shape: tuple[int, int], what: str) -> None:
    """Raise a `ValueError` where an array `(num_channels, num_samples)` has more channels than samples."""
    if shape[0] > shape[1]:
        raise ValueError(
            f"{what} has shape {shape}, more channels than samples; expected (channels, samples): pass its transpose"
        )


def typical_deviation(stretches: Iterable[np.ndarray]) -> float | None:
    """Median standard deviation of the channels of some stretches of a signal.

    Args:
        stretches (`Iterable[np.ndarray]`):
            Arrays of shape `(num_channels, num_samples)`. NaN is a missing sample.

    Returns:
        `float`, *optional*: In the unit of the signal; `None` where every channel is constant, or missing.
    """
    deviations = np.concatenate([standard_deviations(samples) for samples in stretches])
    deviations = deviations[deviations > 0]
    return float(np.median(deviations)) if deviations.size else None


def standard_deviations(samples: np.ndarray) -> np.ndarray:
    """Standard deviation of each channel.

    Args:
        samples (`np.ndarray` of shape `(num_channels, num_samples)`):
            NaN is a missing sample.

    Returns:
        `np.ndarray` of shape `(num_channels,)`: 0 where a channel is constant, or missing.
    """
    deviations = np.zeros(len(samples))
    for channel, values in enumerate(samples):
        observed = values[np.isfinite(values)]
        # Rounding gives a constant channel a deviation.
        if observed.size and np.ptp(observed) > 0:
            deviations[channel] = observed.std(dtype=np.float64)
    return deviations
