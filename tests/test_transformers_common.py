"""The common model and configuration tests of transformers itself, on every Brant class.

They are part of the source distribution of transformers and not of the installed package. Set `TRANSFORMERS_SOURCE`
to an unpacked source distribution of the installed version to run them; `.ci/run` does.
"""

import os
import sys
import types
import unittest
from pathlib import Path

import pytest
import torch
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

from brant_hf import (
    BrantConfig,
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
)

SOURCE = os.environ.get("TRANSFORMERS_SOURCE")
if SOURCE is None:
    pytest.skip("TRANSFORMERS_SOURCE is not set", allow_module_level=True)


def _add_placeholder(module_name: str, **attributes) -> None:
    """The source distribution has no folders below `tests/`; their mixins are for text models and exporters."""
    module = types.ModuleType(module_name)
    module.__dict__.update(attributes)
    module.__path__ = []
    sys.modules.setdefault(module_name, module)


sys.path.insert(0, SOURCE)
(Path(SOURCE) / "tests" / "__init__.py").touch()
_add_placeholder("tests.exporters")
_add_placeholder("tests.exporters.test_export", ExportTesterMixin=type("ExportTesterMixin", (), {}))
_add_placeholder("tests.generation")
_add_placeholder("tests.generation.test_utils", GenerationTesterMixin=type("GenerationTesterMixin", (), {}))
_add_placeholder("tests.utils")
_add_placeholder("tests.utils.test_configuration_utils", config_common_kwargs={"return_dict": False})

from tests.test_configuration_common import ConfigTester  # noqa: E402
from tests.test_modeling_common import ModelTesterMixin  # noqa: E402

# How the training tests tell a model without a loss.
MODEL_MAPPING_NAMES["brant"] = "BrantModel"


class BrantModelTester:
    batch_size = 3
    num_channels = 4
    num_patches = 5
    is_training = True

    def __init__(self, parent):
        self.parent = parent

    def get_config(self) -> BrantConfig:
        return BrantConfig(
            patch_length=32,
            num_patches=self.num_patches,
            hidden_size=32,
            intermediate_size=37,
            num_temporal_layers=2,
            num_spatial_layers=1,
            num_attention_heads=2,
            prediction_length=20,
        )

    def prepare_config_and_inputs_for_common(self):
        config = self.get_config()
        shape = (self.batch_size, self.num_channels, self.num_patches * config.patch_length)
        channel_mask = torch.ones(shape[:2], dtype=torch.long)
        channel_mask[0, -1] = 0
        return config, {"input_values": torch.randn(shape), "channel_mask": channel_mask}


class BrantCommonTest(ModelTesterMixin, unittest.TestCase):
    all_model_classes = (
        BrantModel,
        BrantForPreTraining,
        BrantForForecasting,
        BrantForFrequencyPhaseForecasting,
        BrantForImputation,
        BrantForSeizureDetection,
    )
    test_resize_embeddings = False
    # There are two kinds of attention, in `temporal_attentions` and `spatial_attentions`; test_modeling_brant.py
    # tests them.
    has_attentions = False

    def setUp(self):
        self.model_tester = BrantModelTester(self)
        self.config_tester = ConfigTester(self, config_class=BrantConfig, has_text_modality=False, hidden_size=32)

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels)
        config = self.model_tester.get_config()
        batch_size, num_channels, num_samples = inputs["input_values"].shape
        if return_labels:
            if model_class in (BrantForForecasting, BrantForFrequencyPhaseForecasting):
                inputs["labels"] = torch.arange(float(config.prediction_length)).expand(batch_size, num_channels, -1)
            elif model_class is BrantForImputation:
                inputs["labels"] = inputs["input_values"].clone()
            elif model_class is BrantForSeizureDetection:
                inputs["labels"] = torch.ones(batch_size, num_channels, num_samples // config.patch_length)
        return inputs

    def test_config(self):
        self.config_tester.run_common_tests()

    def test_hidden_states_output(self):
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in self.all_model_classes:
            outputs = model_class(config).eval()(**inputs, output_hidden_states=True)
            shapes = {tuple(hidden_states.shape) for hidden_states in outputs.hidden_states}
            assert len(outputs.hidden_states) == config.num_hidden_layers + 1
            assert shapes == {(3, 4, 5, config.hidden_size)}

    @unittest.skip("The input is a signal, there are no token embeddings")
    def test_model_get_set_embeddings(self):
        pass


del ModelTesterMixin
