"""What is noted of the windows at the beginning of a training, without training."""

from types import SimpleNamespace

import pytest
import torch

from brant_hf import BrantForSeizureDetection
from brant_hf.data import Preprocessing
from brant_hf.data.dataset.origin import note_origin
from brant_hf.training.callbacks import OriginCallback


def begin(model, *chains):
    rows = SimpleNamespace(info=SimpleNamespace(description=""))
    lines = []
    for chain in chains:
        note_origin(rows, chain.to_dict())
        lines.append(rows.info.description)
    rows.info.description = "\n\n".join(lines)
    OriginCallback().on_train_begin(None, None, None, model=model, train_dataloader=SimpleNamespace(dataset=rows))


@pytest.mark.parametrize("has_adapter", [False, True])
def test_windows_that_were_not_prepared_alike_are_told(small_config, caplog, has_adapter):
    model = BrantForSeizureDetection(small_config())
    if has_adapter:
        peft = pytest.importorskip("peft")
        model = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"]))
    begin(model, Preprocessing(high_pass=1.0), Preprocessing(high_pass=2.0))
    assert model.config.detection is None
    assert "not all prepared alike" in caplog.text


def test_windows_at_another_rate_are_refused(small_config):
    model = BrantForSeizureDetection(small_config())
    with pytest.raises(ValueError, match="the training windows have 200 Hz, the model 250 Hz"):
        begin(model, Preprocessing(sampling_rate=200.0))


def test_other_models_are_left_alone():
    begin(torch.nn.Linear(1, 1), Preprocessing(sampling_rate=200.0))
