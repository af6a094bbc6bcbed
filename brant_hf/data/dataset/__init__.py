"""Datasets of windows on disk: made by `prepare`, opened by `load`, shared out by `split`."""
