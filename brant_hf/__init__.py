"""Brant, the foundation model for intracranial EEG, in Hugging Face Transformers."""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForPreTraining,
    AutoModelForTimeSeriesPrediction,
)
from transformers.pipelines import PIPELINE_REGISTRY

from .checkpoints import DetectorLoader, ShippedDefault
from .configuration_brant import BrantConfig
from .conversion_brant import convert_original_checkpoint, convert_original_task_checkpoint
from .detection.pipeline import SeizureDetectionPipeline
from .feature_extraction_brant import BrantFeatureExtractor
from .modeling_brant import (
    BrantForForecasting,
    BrantForFrequencyPhaseForecasting,
    BrantForImputation,
    BrantForPreTraining,
    BrantForSeizureDetection,
    BrantModel,
    BrantPreTrainedModel,
)

__version__ = "0.2.0"

AutoConfig.register("brant", BrantConfig)
AutoModel.register(BrantConfig, BrantModel)
AutoModelForPreTraining.register(BrantConfig, BrantForPreTraining)
AutoModelForTimeSeriesPrediction.register(BrantConfig, BrantForForecasting)
AutoFeatureExtractor.register(BrantConfig, BrantFeatureExtractor)
PIPELINE_REGISTRY.register_pipeline(
    "seizure-detection", SeizureDetectionPipeline, pt_model=DetectorLoader, default=ShippedDefault()
)

__all__ = [
    "BrantConfig",
    "BrantFeatureExtractor",
    "BrantForForecasting",
    "BrantForFrequencyPhaseForecasting",
    "BrantForImputation",
    "BrantForPreTraining",
    "BrantForSeizureDetection",
    "BrantModel",
    "BrantPreTrainedModel",
    "convert_original_checkpoint",
    "convert_original_task_checkpoint",
    "__version__",
]
