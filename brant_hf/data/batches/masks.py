"""Random masks with exact fractions."""

from __future__ import annotations

import numpy as np


def mask_patches(rng: np.random.Generator, channels: int, patches: int, ratio: float) -> np.ndarray:
    """Cells (channel, patch) to mask, `(channels, patches)` bool; `round(ratio * channels * patches)` are True."""
    mask = np.zeros(channels * patches, bool)
    mask[rng.permutation(mask.size)[: round(ratio * mask.size)]] = True
    return mask.reshape(channels, patches)


def mask_points(rng: np.random.Generator, channels: int, samples: int, ratio: float) -> np.ndarray:
    """Single samples to hide, `(channels, samples)` bool; `round(ratio * samples)` are True in each channel."""
    count = round(ratio * samples)
    mask = np.zeros((channels, samples), bool)
    if count:
        scores = rng.random((channels, samples), dtype=np.float32)
        np.put_along_axis(mask, np.argpartition(scores, count - 1, axis=1)[:, :count], True, axis=1)
    return mask


def mask_blocks(rng: np.random.Generator, channels: int, samples: int, ratio: float, block_length: int) -> np.ndarray:
    """Blocks of consecutive samples to hide, `(channels, samples)` bool.

    Each channel has `round(ratio * samples / block_length)` blocks, which do not overlap; all arrangements are equally
    likely.

    Raises
    ------
    ValueError
        A block is longer than the window.
    """
    if block_length > samples:
        raise ValueError(f"a block of {block_length} samples does not fit into a window of {samples}")
    count = min(round(ratio * samples / block_length), samples // block_length)
    # Blocks shrunk to one place each can lie anywhere; expanded again, they push the later ones along.
    places = samples - count * (block_length - 1)
    chosen = np.argsort(rng.random((channels, places), dtype=np.float32), axis=1)[:, :count]
    starts = np.sort(chosen, axis=1) + np.arange(count) * (block_length - 1)
    mask = np.zeros((channels, samples), bool)
    inside = (starts[:, :, None] + np.arange(block_length)).reshape(channels, -1)
    np.put_along_axis(mask, inside, True, axis=1)
    return mask
