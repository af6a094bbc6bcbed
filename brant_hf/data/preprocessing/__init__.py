"""Preprocessing of recordings: a declarative chain, applied in chunks with constant memory."""

from .chain import PreprocessedRecording, preprocess
from .settings import Preprocessing

__all__ = ["PreprocessedRecording", "Preprocessing", "preprocess"]
