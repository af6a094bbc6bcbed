from . import data as data, detection as detection, training as training
from .configuration_brant import BrantConfig as BrantConfig
from .conversion_brant import (
    convert_original_checkpoint as convert_original_checkpoint,
    convert_original_task_checkpoint as convert_original_task_checkpoint,
    export_original_checkpoint as export_original_checkpoint,
)
from .feature_extraction_brant import BrantFeatureExtractor as BrantFeatureExtractor
from .modeling_brant import (
    BrantForForecasting as BrantForForecasting,
    BrantForFrequencyPhaseForecasting as BrantForFrequencyPhaseForecasting,
    BrantForImputation as BrantForImputation,
    BrantForPreTraining as BrantForPreTraining,
    BrantForSeizureDetection as BrantForSeizureDetection,
    BrantModel as BrantModel,
    BrantPreTrainedModel as BrantPreTrainedModel,
)
from .onnx_export import export_onnx as export_onnx

__version__: str
