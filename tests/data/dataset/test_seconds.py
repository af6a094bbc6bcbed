import numpy as np

from brant_hf.data.dataset.seconds import Seconds


def test_a_patch_of_two_windows_counts_once():
    """Windows of 4 patches of 2 s, 2 patches apart, over 13 s of two channels."""
    seconds = Seconds(patch_length=10, patch_s=2.0, flat_threshold=0.01)
    signal = np.random.default_rng(0).standard_normal((2, 60)).astype(np.float32)
    signal[0, 20:40] = 1  # patches 2 and 3, in both windows
    lost, uncertain = np.zeros((2, 6), bool), np.zeros((2, 6), bool)
    lost[:, 3] = True
    uncertain[:, 3:5] = True
    for start in (0, 20):
        patches = slice(start // 10, start // 10 + 4)
        seconds.count(start, signal[:, start : start + 40], lost[:, patches], uncertain[:, patches])
    # Patch 3 is lost, and nothing else; of what is there, patch 4 is uncertain and patch 2 flat on one channel of two.
    assert seconds.of(13.0) == {"gaps": 2.0, "uncertain": 2.0, "flat": 1.0, "outside": 1.0}
