"""Seizure detection: from a recording to probabilities, events, files and scores.

Names are imported on first use, so that `import brant_hf.detection` stays light: MNE-Python, Matplotlib, scikit-learn
and timescoring are loaded only by the functions that need them.
"""

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
