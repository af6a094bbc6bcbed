"""Which recordings a folder holds."""
from pathlib import Path


def find_recordings(source):
    """TODO"""
    return [Path(source)]
