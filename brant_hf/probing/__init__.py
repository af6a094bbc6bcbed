"""Probes: what frozen hidden states tell, by layer, with linear models of scikit-learn.

Names are imported on first use, so that `import brant_hf.probing` stays light.
"""

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
