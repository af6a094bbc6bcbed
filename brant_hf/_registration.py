"""Makes the auto classes, pipelines and `Trainer` of transformers know Brant, without importing them for it.

Importing the models, or `transformers.models.auto`, takes seconds, so `import brant_hf` does neither. When a module of
transformers that holds a register is imported, a finder in `sys.meta_path` imports the module of this package that
belongs there and registers it. So `import brant_hf` is enough in any order of imports, also where a worker process
imports it only to unpickle. Modules of this package may import these of transformers themselves (`auto_docstring`
does), so a registration waits until both are complete.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def _register_config(auto: Any, brant: Any) -> None:
    auto.AutoConfig.register("brant", brant.BrantConfig)


def _register_feature_extractor(auto: Any, brant: Any) -> None:
    from .configuration_brant import BrantConfig

    auto.AutoFeatureExtractor.register(BrantConfig, brant.BrantFeatureExtractor)


def _register_processor(auto: Any, brant: Any) -> None:
    from .configuration_brant import BrantConfig

    # Without it, `AutoProcessor` tries one kind after the other, and asks whether to run the code of a checkpoint.
    auto.AutoProcessor.register(BrantConfig, brant.BrantFeatureExtractor)


def _register_models(auto: Any, brant: Any) -> None:
    auto.AutoModel.register(brant.BrantConfig, brant.BrantModel)
    auto.AutoModelForPreTraining.register(brant.BrantConfig, brant.BrantForPreTraining)
    auto.AutoModelForTimeSeriesPrediction.register(brant.BrantConfig, brant.BrantForForecasting)
    # Labels for each element of a sequence, as tokens have them: here for each channel and patch.
    auto.AutoModelForTokenClassification.register(brant.BrantConfig, brant.BrantForSeizureDetection)


def _register_attention(modeling: Any, brant: Any) -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    modeling.ALL_ATTENTION_FUNCTIONS.register(brant.NAME, brant.attention_forward)
    # It takes the masks of what it leaves to PyTorch.
    ALL_MASK_ATTENTION_FUNCTIONS.register(brant.NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


def _register_pipeline(pipelines: Any, brant: Any) -> None:
    from .checkpoints import DetectorLoader, ShippedDefault

    pipelines.PIPELINE_REGISTRY.register_pipeline(
        "seizure-detection", brant.SeizureDetectionPipeline, pt_model=DetectorLoader, default=ShippedDefault()
    )


def _register_callback(trainer: Any, brant: Any) -> None:
    trainer.DEFAULT_CALLBACKS.append(brant.OriginCallback)


_REGISTRATIONS: dict[tuple[str, str], Callable[[Any, Any], None]] = {
    ("transformers.models.auto.configuration_auto", "brant_hf.configuration_brant"): _register_config,
    ("transformers.models.auto.feature_extraction_auto", "brant_hf.feature_extraction_brant"): (
        _register_feature_extractor
    ),
    ("transformers.models.auto.processing_auto", "brant_hf.feature_extraction_brant"): _register_processor,
    ("transformers.models.auto.modeling_auto", "brant_hf.modeling_brant"): _register_models,
    ("transformers.modeling_utils", "brant_hf.short_attention"): _register_attention,
    ("transformers.pipelines", "brant_hf.detection.pipeline"): _register_pipeline,
    ("transformers.trainer", "brant_hf.training.callbacks"): _register_callback,
}
_NAMES = {name for pair in _REGISTRATIONS for name in pair}
_imported: set[str] = set()


def _after_import(name: str) -> None:
    _imported.add(name)
    for theirs, ours in [pair for pair in _REGISTRATIONS if name in pair]:
        if ours not in sys.modules and name == theirs:
            import_module(ours)  # which comes here again
        elif {theirs, ours} <= _imported:
            _REGISTRATIONS[theirs, ours](sys.modules[theirs], sys.modules[ours])


class _Finder(MetaPathFinder):
    """Lets the other finders find a module, and adds the registration to its execution."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _NAMES:
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _after_import(fullname)

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def register() -> None:
    """Register now what is imported already, and the rest when it is."""
    sys.meta_path.insert(0, _Finder())
    for theirs, _ in _REGISTRATIONS:
        if theirs in sys.modules:
            _after_import(theirs)
