"""Brant, the foundation model for intracranial EEG, in Hugging Face Transformers.

Names are imported on first use, so that `import brant_hf` takes no time.
"""

from ._lazy import attach_stub
from ._registration import register

__version__ = "0.2.0"
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

register()
