"""What `help()` says of the public names."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import transformers

import brant_hf
from brant_hf import modeling_brant

PACKAGES = ["", ".data", ".data.corpora", ".detection", ".training", ".simulation", ".probing"]


def _public() -> dict[str, Any]:
    found = {}
    for package in (import_module(f"brant_hf{name}") for name in PACKAGES):
        named = ((name, getattr(package, name)) for name in package.__all__)
        found.update({f"{package.__name__}.{name}": each for name, each in named if not _is_value(each)})
    return found


def _is_value(each: Any) -> bool:
    return not callable(each) or isinstance(each, ModuleType)


PUBLIC = _public()
OUTPUTS = {name: each for name, each in vars(modeling_brant).items() if name.endswith("Output") and "Brant" in name}


def _documented(name: str) -> Iterator[tuple[str, Any]]:
    """An object and, of a class, what it defines itself."""
    public = PUBLIC[name]
    yield name, public
    for member, value in vars(public).items() if inspect.isclass(public) else ():
        value = getattr(value, "__func__", getattr(value, "fget", value))
        if inspect.isfunction(value) and (not member.startswith("_") or member == "__call__"):
            yield f"{name}.{member}", value


def _imports(reference: str, home: str) -> bool:
    """Whether a reference is an absolute name, or one of this package, of transformers or of the object's package."""
    for start in ("", "brant_hf.", "transformers.", f"{home.rpartition('.')[0]}."):
        first, *rest = f"{start}{reference}".split(".")
        found: Any = {"brant_hf": brant_hf, "transformers": transformers, "torch": torch}.get(first)
        for part in rest if found is not None else ():
            found = getattr(found, part, None)
        if found is not None:
            return True
    return False


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    for each, value in _documented(name):
        text = inspect.getdoc(value) or ""
        assert text, f"{each} has no docstring"
        # What documentation that is generated for models of transformers says of others.
        wrong = re.search(r"\bNone model\b|\[`None`\]|sequence_length|[Dd]ecoder|\[`Module`\]|Llama", text)
        assert not wrong, f"{each}: {wrong[0]}"
        for reference in re.findall(r"\[`~?([^`\]]+)`\]", text):
            assert _imports(reference.removesuffix("()"), name), f"{each} refers to {reference}"


@pytest.mark.parametrize("name", [name for name, each in PUBLIC.items() if not inspect.isclass(each)])
def test_every_parameter_is_described(name):
    text = inspect.getdoc(PUBLIC[name]) or ""
    refers = re.search(r"[Aa]s (of|in) `", text)
    if refers or ("Parameters\n---" not in text and "Args:" not in text):
        return  # described there, or one sentence says it all
    for parameter in inspect.signature(PUBLIC[name]).parameters:
        assert re.search(rf"\b{re.escape(parameter)}\b.*[:(]", text), f"{name} does not describe {parameter}"


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_described_with_their_shapes(name):
    text = inspect.getdoc(OUTPUTS[name])
    for field in fields(OUTPUTS[name]):
        described = re.search(rf"^ +{field.name} \(.*\):\n(.+)", text, re.MULTILINE)
        assert described, f"{name}.{field.name} is not described"
        has_shape = "of shape" in described[0] or "BrantModelOutput`" in described[0]
        assert has_shape or name == "BrantModelOutput", described[0]
    if name == "BrantModelOutput":
        assert "(batch_size,\n        num_channels, num_patches, hidden_size)" in text


def test_the_configuration_describes_its_fields_in_its_own_words():
    text = inspect.getdoc(brant_hf.BrantConfig)
    for field in fields(brant_hf.BrantConfig):
        if field.name not in {each.name for each in fields(transformers.PreTrainedConfig)}:
            assert re.search(rf"^ +{field.name} \(.*\):$", text, re.MULTILINE), field.name
    # What is generated for fields without a description.
    assert not re.search("MLP representations|attention probabilities|The epsilon", text)


def test_the_reference_has_all_public_packages():
    root = Path(brant_hf.__file__).parents[1]
    reference = (root / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   (brant_hf[.\w]*)$", reference, re.MULTILINE)
    assert sorted(listed) == sorted(f"brant_hf{name}" for name in PACKAGES)
    public = re.findall(r"^\| `(brant_hf[.\w]*)` \|", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(public) == sorted(listed)
