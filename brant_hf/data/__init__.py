"""Recordings, preprocessing, windows, datasets and collators.

Names are imported on first use, so that `import brant_hf.data` stays light: MNE-Python, MNE-BIDS, pynwb, pandas and
datasets are loaded only by the functions that need them.
"""

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
