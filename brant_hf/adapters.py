"""Adapters of peft: folders with the few weights that were trained on top of a checkpoint, which they name."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADAPTER_FILE = "adapter_config.json"
_PREFIX = "base_model.model."


@dataclass(frozen=True)
class Adapter:
    """An adapter in a folder or on the Hub.

    Attributes
    ----------
    source : str
        Folder, or id on the Hub.
    revision : str or None
        Commit, branch or tag on the Hub.
    fields : dict[str, Any]
        Of its `adapter_config.json`.
    """

    source: str
    revision: str | None
    fields: dict[str, Any]

    @property
    def base(self) -> str:
        """The checkpoint that it was trained on."""
        base = self.fields.get("base_model_name_or_path")
        missing = base and Path(base).is_absolute() and not Path(base).is_dir()
        if not base or missing:
            what = f"names the folder {base}, which does not exist," if missing else "names no checkpoint"
            raise ValueError(
                f"{self.source} is an adapter of peft that {what} as the one it was trained on; set "
                f"base_model_name_or_path in its {ADAPTER_FILE} to a folder or an id on the Hub"
            )
        return base

    @property
    def class_name(self) -> str | None:
        """Class of the model that it was trained on, where peft has noted it."""
        return (self.fields.get("auto_mapping") or {}).get("base_model_class")

    def merged_into(self, model: Any) -> tuple[Any, set[str]]:
        """Merge it into a model of the class that it was trained on.

        Returns
        -------
        tuple[Any, set[str]]
            The model, and the names of the weights that the adapter has whole, such as those of a head.

        Raises
        ------
        ImportError
            peft is not installed.
        ValueError
            It was trained on a model of another class.
        """
        try:
            import peft
        except ImportError:
            raise ImportError(f"{self.source} is an adapter, which needs peft: pip install peft") from None
        options: dict[str, Any] = {} if self.revision is None else {"revision": self.revision}
        weights = peft.load_peft_weights(self.source, device="cpu", **options)
        whole = {name.removeprefix(_PREFIX) for name in weights} & set(model.state_dict())
        adapted = peft.PeftModel.from_pretrained(model, self.source, **options)
        if set(peft.get_peft_model_state_dict(adapted)) != set(weights):
            raise ValueError(
                f"{self.source} is an adapter of a {self.class_name or 'model'} and does not fit a "
                f"{type(model).__name__}; load it with the class that it was trained on"
            )
        return adapted.merge_and_unload().eval(), whole


def find_adapter(source: str | os.PathLike, revision: str | None = None) -> Adapter | None:
    """Return the adapter that a folder or an id on the Hub holds; `None` for a complete checkpoint."""
    from transformers.utils import CONFIG_NAME, cached_file

    name = str(source)

    def find(file: str) -> str | None:
        if Path(name).is_dir():
            path = Path(name) / file
            return str(path) if path.is_file() else None
        return cached_file(
            name,
            file,
            revision=revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )

    if find(CONFIG_NAME) is not None or (found := find(ADAPTER_FILE)) is None:
        return None
    path = Path(found)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ValueError(f"{path} is damaged; save the adapter again")
    return Adapter(name, revision, fields)
