"""Brant, the foundation model for intracranial EEG, in Hugging Face Transformers."""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForPreTraining,
    AutoModelForTimeSeriesPrediction,
)

from .configuration_brant import BrantConfig
from .modeling_brant import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
    BrantPreTrainedModel,
)
