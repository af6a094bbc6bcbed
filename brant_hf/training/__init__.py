"""Training with the Hugging Face `Trainer`: arguments, recipes, windows, tuning, metrics.

Names are imported on first use, so that `import brant_hf.training` stays light.
"""

from .._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
