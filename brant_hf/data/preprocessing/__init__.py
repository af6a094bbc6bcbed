"""Preprocessing of recordings: a declarative chain, applied in chunks with constant memory."""

from .chain import PreprocessedRecording, Preprocessing, preprocess

__all__ = ["PreprocessedRecording", "Preprocessing", "preprocess"]
