"""Recordings, preprocessing, windows, datasets and collators."""
