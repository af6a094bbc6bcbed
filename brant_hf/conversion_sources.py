"""Published weights where they are: on the Hub, in a folder, an archive or files; read, and told what they are.

Whatever the source is, its tensors are in memory once, and an archive is unpacked on the way.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch

from .files import check_fetched
from .hub import find_on_hub, is_hub_id
from .listing import listed

StateDict: TypeAlias = dict[str, torch.Tensor]
State: TypeAlias = str | os.PathLike | Mapping[str, Any]
_Place: TypeAlias = Any  # pathlib.Path or zipfile.Path, which have the same methods and no type in common

_INDEX = ".safetensors.index.json"
_PICKLES = (".pt", ".pth", ".bin")
# What is fetched from the Hub: the second only where the first brings no weights.
_PATTERNS = (
    ["config.json", "README.md", "*.safetensors", f"*{_INDEX}"],
    ["*.zip", *(f"*{suffix}" for suffix in _PICKLES)],
)


@dataclass(frozen=True)
class Layout:
    """How weights name the parts of the model.

    Attributes
    ----------
    name : str
        Whose names these are.
    time, channel : str
        Temporal and spatial encoder.
    """

    name: str
    time: str
    channel: str


RESEARCH = Layout("the published code", "time_encoder", "channel_encoder")
BRAINDECODE = Layout("braindecode", "temporal_encoder", "spatial_encoder")
_OWN = {"brant", "embeddings", "temporal_layers", "spatial_layers"}
_HALF = {"input_embedding", "trans_enc", "proj_out"}


@dataclass
class Original:
    """Weights as they are published.

    Attributes
    ----------
    tensors : StateDict
        Under the names of `layout`, without the prefix `module.`.
    layout : Layout
        Whose names these are.
    source : str
        Where they are from, in words.
    fields : dict[str, Any]
        Of the `config.json` beside them; empty if there is none.
    files : list[Path]
        That hold the weights; none for tensors that were passed.
    hub_id, revision, licence : str or None
        Id and commit on the Hub, and what the card beside them says.
    """

    tensors: StateDict
    layout: Layout
    source: str
    fields: dict[str, Any] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    hub_id: str | None = None
    revision: str | None = None
    licence: str | None = None

    def checksums(self) -> dict[str, str]:
        """SHA-256 of each file."""
        sums = {}
        for path in self.files:
            with path.open("rb") as file:
                sums[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        return sums


def read_original(source: State, channel_encoder: State | None = None, *, revision: str | None = None) -> Original:
    """Read published weights.

    Parameters
    ----------
    source : str, os.PathLike or Mapping
        Id on the Hub, folder, `.safetensors` (or the index of several), `.zip`, file of `torch.save`, or a state dict.
    channel_encoder : str, os.PathLike, Mapping or None
        The spatial encoder, where `source` is the temporal encoder alone.
    revision : str or None
        Commit, branch or tag on the Hub.

    Returns
    -------
    Original

    Raises
    ------
    FileNotFoundError
        A file does not exist, or only a pointer to its content is here.
    OSError
        There is no such model on the Hub, or no way to it.
    ValueError
        The source holds anything but the tensors of Brant; files with Python objects are never run.
    """
    if channel_encoder is not None:
        tensors = _both(read_state(source, "time encoder"), read_state(channel_encoder, "channel encoder"))
        files = [Path(each) for each in (source, channel_encoder) if not isinstance(each, Mapping)]
        return Original(tensors, RESEARCH, " and ".join(map(str, files)) or "state dicts", files=files)
    if isinstance(source, Mapping):
        tensors = read_state(source, "source")
        return Original(tensors, _layout_of(tensors, "The source"), "a state dict")
    name, path = os.fspath(source), Path(source)
    if not path.is_dir():
        check_fetched(path)
    if path.is_file():
        return _read_archive(path) if _is_archive(path) else _read_files([path], name)
    if path.is_dir():
        return _read_files(list(_files(path)), name)
    if not is_hub_id(name):
        raise FileNotFoundError(f"{name} is neither a file, a folder nor the id of a model on the Hub (you/model).")
    folder = _download(name, revision)
    original = _read_files(list(_files(folder)), name)
    original.hub_id, original.revision = name, folder.name
    return original


def read_state(source: State, what: str) -> StateDict:
    """State dict of a file or mapping without the prefix `module.`; anything but named tensors is an error."""
    if isinstance(source, Mapping):
        # Copies: the model must not share the memory of its owner.
        return {key: tensor.clone() for key, tensor in _checked(source, what).items()}
    return _checked(load_pickle(Path(source), f"{what} {source}"), f"{what} {source}")


def _checked(state_dict: Any, origin: str) -> StateDict:
    if not isinstance(state_dict, Mapping) or not state_dict:
        raise ValueError(f"The {origin} must hold a state dict (names and tensors), got {describe(state_dict)}.")
    tensors: StateDict = {}
    storages = set()
    for key, value in state_dict.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise ValueError(f"The {origin} must hold named tensors only, got {key!r}: {describe(value)}.")
        if value.layout != torch.strided or value.is_meta:
            raise ValueError(f"The {origin} must hold ordinary tensors, `{key}` is {value.layout} on {value.device}.")
        value = value.detach()
        storage = value.untyped_storage()
        if storage.data_ptr() in storages or storage.nbytes() != value.nbytes or not value.is_contiguous():
            # A part of another tensor in the file; it gets memory of its own.
            value = value.clone(memory_format=torch.contiguous_format)
        storages.add(storage.data_ptr())
        tensors[key.removeprefix("module.")] = value
    if len(tensors) < len(state_dict):
        raise ValueError(f"The {origin} has the same keys with and without the prefix `module.`.")
    return tensors


def load_pickle(path: _Place, origin: str) -> Any:
    """Read a file of `torch.save` that holds tensors and plain values; objects of classes are not made.

    Raises
    ------
    FileNotFoundError
        There is no such file, or only a pointer to its content.
    ValueError
        It is no such file, or holds other objects.
    """
    if isinstance(path, Path):
        check_fetched(path)
    if not path.is_file():
        raise FileNotFoundError(f"The {origin} does not exist or is no file.")
    try:
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever the bytes of a foreign file lead it to
        raise ValueError(
            f"The {origin} is no file of tensors that `torch.load` reads. Files with other Python objects are "
            "refused, because reading them can run code."
        ) from error


def describe(value: Any) -> str:
    """Say in a message what a value is."""
    if isinstance(value, Mapping):
        return f"a mapping with the keys {listed(map(repr, value))}" if value else "an empty mapping"
    return f"a {type(value).__name__}"


def _both(time: StateDict, channel: StateDict) -> StateDict:
    parts = ((RESEARCH.time, time), (RESEARCH.channel, channel))
    return {f"{part}.{key}": tensor for part, tensors in parts for key, tensor in tensors.items()}


def _layout_of(tensors: Mapping[str, torch.Tensor], origin: str) -> Layout:
    """Whose names the tensors have."""
    parts = {key.partition(".")[0] for key in tensors}
    for layout in (BRAINDECODE, RESEARCH):
        if parts & {layout.time, layout.channel}:
            return layout
    if parts & _OWN:
        raise ValueError(f"{origin} is a checkpoint of brant_hf already; load it with `from_pretrained`.")
    if parts & _HALF:
        raise ValueError(f"{origin} is one of the two encoders; give both, time_encoder.pt and channel_encoder.pt.")
    raise ValueError(
        f"{origin} holds no Brant: it has {listed(list(tensors))}, where `{BRAINDECODE.time}.` and "
        f"`{BRAINDECODE.channel}.` (braindecode) or the files time_encoder.pt and channel_encoder.pt are expected."
    )


def _files(folder: _Place) -> Iterator[_Place]:
    """All files in a folder and below, but hidden ones."""
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.name.startswith((".", "__MACOSX")):
            continue
        if each.is_dir():
            yield from _files(each)
        else:
            yield each


def _is_archive(path: Path) -> bool:
    """Whether a file is an archive of files; what `torch.save` writes is a zip file too."""
    if not zipfile.is_zipfile(path):
        if path.suffix.lower() == ".zip":
            raise ValueError(f"{path} is no zip archive; it may be damaged, or a web page in place of the download.")
        return False
    with zipfile.ZipFile(path) as archive:
        return not any(name.endswith("data.pkl") for name in archive.namelist())


def _read_archive(path: Path) -> Original:
    original = _read_files(list(_files(zipfile.Path(path))), str(path))
    original.files = [path]
    return original


def _read_files(files: Sequence[_Place], name: str) -> Original:
    """Read the weights among these files, and what lies beside them."""
    archives = [each for each in files if isinstance(each, Path) and each.suffix.lower() == ".zip"]
    if len(archives) == 1 and not any(each.name.endswith((".safetensors", *_PICKLES)) for each in files):
        check_fetched(archives[0])
        if _is_archive(archives[0]):
            return _read_archive(archives[0])
    used, tensors = _read_weights(files, name)
    layout = _layout_of(tensors, name)
    folder = used[0].parent
    fields = _config_beside(folder) if layout is BRAINDECODE else {}
    paths = [each for each in used if isinstance(each, Path)]
    return Original(tensors, layout, name, fields, paths, licence=_licence_beside(folder))


def _read_weights(files: Sequence[_Place], name: str) -> tuple[list[_Place], StateDict]:
    """Files that hold the weights, and their tensors."""
    if indices := [each for each in files if each.name.endswith(_INDEX)]:
        return _read_shards(_only(indices, name))
    if found := [each for each in files if each.name.endswith(".safetensors")]:
        path = _only(found, name)
        return [path], read_safetensors(path)
    pickles = [each for each in files if each.name.endswith(_PICKLES)] or (list(files) if len(files) == 1 else [])
    parts = [[each for each in pickles if each.name.startswith(part)] for part in (RESEARCH.time, RESEARCH.channel)]
    if any(parts):
        if not all(parts):
            there, absent = sorted(
                (RESEARCH.time, RESEARCH.channel), key=lambda part: not parts[part != RESEARCH.time]
            )
            raise ValueError(f"{name} has {there}.pt and no {absent}.pt; the two files belong together, give both.")
        time, channel = (_only(part, name) for part in parts)
        states = (_checked(load_pickle(each, f"file {each}"), f"file {each}") for each in (time, channel))
        return [time, channel], _both(*states)
    if not pickles:
        raise ValueError(
            f"{name} has no weights: no .safetensors, no time_encoder.pt and channel_encoder.pt, no .zip of them. "
            "Where a page links to them, download them and name the file."
        )
    path = _only(pickles, name)
    return [path], _checked(load_pickle(path, f"file {path}"), f"file {path}")


def _only(files: Sequence[_Place], name: str) -> _Place:
    if len(files) > 1:
        raise ValueError(f"{name} has several files of weights; name one: {listed([str(each) for each in files])}.")
    return files[0]


def read_safetensors(path: _Place) -> StateDict:
    """Tensors of a safetensors file, in memory of their own.

    Raises
    ------
    ValueError
        It is damaged.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    tensors = {}
    try:
        if isinstance(path, zipfile.Path):
            return load(path.read_bytes())
        check_fetched(path)
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
        for name in names:
            # Opened again for each tensor: pages of the file that were read count as memory until it is closed.
            with safe_open(path, framework="pt") as file:
                tensors[name] = file.get_tensor(name).clone()
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or no safetensors file ({error}); download it again.") from error
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _read_shards(index: _Place) -> tuple[list[_Place], StateDict]:
    """Files that an index lists, and their tensors, which have to be those that it lists."""
    try:
        shard_of: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(shard_of.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{index} is damaged or no index of safetensors files; download it again.") from error
    tensors: StateDict = {}
    used: list[_Place] = []
    for name in names:
        path = index.parent / name
        if "/" in name or "\\" in name or not path.is_file():
            raise FileNotFoundError(f"{index} lists {name}, which is not beside it; download it too.")
        promised = {key.removeprefix("module.") for key, shard in shard_of.items() if shard == name}
        stored = read_safetensors(path)
        if wrong := sorted(promised ^ set(stored)):
            raise ValueError(f"{path} and {index.name} do not list the same tensors: {listed(wrong)}.")
        tensors |= stored
        used.append(path)
    return used, tensors


def _config_beside(folder: _Place) -> dict[str, Any]:
    """Fields of the configuration of braindecode; none if there is no file."""
    path = folder / "config.json"
    if not path.is_file():
        return {}
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged; download it again.") from error
    if not isinstance(fields, dict) or "model_type" in fields:
        raise ValueError(f"{path} is no configuration of braindecode, as the weights beside it are; remove it.")
    return fields


def _licence_beside(folder: _Place) -> str | None:
    """Licence that a model card states."""
    from huggingface_hub import ModelCard

    path = folder / "README.md"
    if not path.is_file() or not (text := path.read_text(encoding="utf-8", errors="replace")).startswith("---"):
        return None
    try:
        licence = ModelCard(text, ignore_metadata_errors=True).data.to_dict().get("license")
    except Exception:  # a card with any mistake states none
        return None
    return licence if isinstance(licence, str) else None


def _download(name: str, revision: str | None) -> Path:
    """Folder of the cache with the files of a model on the Hub that hold weights and what belongs to them."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError

    find_on_hub(name, revision)
    try:
        for patterns in _PATTERNS:
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=patterns))
            if any(each.name.endswith((".safetensors", ".zip", *_PICKLES)) for each in _files(folder)):
                break
    except GatedRepoError as error:
        raise OSError(f"{name} is gated: accept its conditions on its page, and log in (hf auth login).") from error
    except RevisionNotFoundError as error:
        raise OSError(f"{name} has no revision {revision!r}.") from error
    return folder
