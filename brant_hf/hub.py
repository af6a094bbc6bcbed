"""Whether something is on the Hub, asked once and before anything is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

# One of these is in the cache of the Hub where a model or a dataset was downloaded.
_FILES = {"model": ("config.json", "adapter_config.json"), "dataset": ("README.md", "dataset.json")}


def is_hub_id(name: str) -> bool:
    """Whether a name looks like the id of a model on the Hub: `you/model`."""
    return re.fullmatch(r"[\w.-]*\w[\w.-]*/[\w.-]+", name) is not None


def no_folder(name: str) -> str:
    """Say that there is no folder of a name."""
    return "there is no such folder" + ("" if Path(name).is_absolute() else f" in {Path.cwd()}")


def find_on_hub(name: str, revision: str | None = None, kind: Literal["model", "dataset"] = "model") -> None:
    """Find a model or a dataset in the cache or on the Hub, without the repeated attempts of a download.

    Raises
    ------
    FileNotFoundError
        It is not on the Hub.
    OSError
        The Hub is not within reach.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    cached = (try_to_load_from_cache(name, file, revision=revision, repo_type=kind) for file in _FILES[kind])
    if any(isinstance(path, str) for path in cached):
        return
    try:
        HfApi().repo_info(name, revision=revision, repo_type=kind, timeout=10)
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"{name}: {no_folder(name)}, and no such {kind} on the Hub; if it is private, log in first (hf auth login)"
        ) from error
    except HfHubHTTPError:
        return  # The Hub answers; what it says comes with the download.
    except Exception as error:  # of the library for connections, which is another in each version
        raise OSError(
            f"{name}: {no_folder(name)}, no {kind} of that id is in the cache, and the Hub cannot be reached "
            "(offline); correct the name of the folder, or connect to the internet"
        ) from error
