"""Model cards of checkpoints, and the comparison with baselines in them."""

import pytest
from huggingface_hub import ModelCard

from brant_hf.training import add_baselines

CARD = """---
library_name: transformers
tags:
- brant
---

# detector

## Results

| metric | test |
|---|---|
| auprc | 0.9 |
"""
COMPARISON = """# Seizure detection

40 windows of 2 patients.

## Patches

| method | AUPRC |
|---|---|
| Brant | **0.90** |
| line length | {value} |
"""


def test_baselines_replace_those_of_before(tmp_path):
    (tmp_path / "README.md").write_text(CARD)
    add_baselines(tmp_path, COMPARISON.format(value="0.40"))
    path = add_baselines(tmp_path, COMPARISON.format(value="0.50"))
    card = ModelCard.load(path)
    assert card.data.tags == ["brant"]
    assert path.read_text().startswith(CARD.rstrip())
    headings = [line for line in card.text.splitlines() if line.startswith("#")]
    assert headings == ["# detector", "## Results", "## Baselines", "### Patches"]
    assert "40 windows of 2 patients.\n\n### Patches" in card.text
    assert "| line length | 0.50 |" in card.text
    assert "0.40" not in card.text
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]


def test_checkpoint_without_a_card(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no model card"):
        add_baselines(tmp_path, COMPARISON)
