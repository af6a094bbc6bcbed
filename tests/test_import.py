import subprocess
import sys

import pytest


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def imported_by(code, names):
    return run(f"{code}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])")


def test_import_is_light():
    """Readers, plots and datasets are imported by what needs them, not by the names of this package."""
    heavy = ["mne", "mne_bids", "matplotlib", "datasets", "pandas", "h5py", "pynwb", "edfio", "sklearn", "peft"]
    code = (
        "import brant_hf, brant_hf.cli, brant_hf.data, brant_hf.data.corpora\n"
        "for module in (brant_hf, brant_hf.data, brant_hf.data.corpora):\n"
        "    [getattr(module, name) for name in module.__all__]\n"
    )
    assert imported_by(code, heavy) == []


def test_the_package_and_its_command_line_wait_for_torch_and_transformers():
    heavy = ["numpy", "torch", "transformers", "scipy"]
    assert imported_by("import brant_hf, brant_hf.cli, brant_hf.data, brant_hf.training", heavy) == []
    score = "import brant_hf.cli.detect, brant_hf.cli.prepare, brant_hf.detection.scoring"
    assert imported_by(score, ["torch", "transformers", "scipy"]) == []


@pytest.mark.parametrize(
    "imports",
    [
        "import brant_hf; from transformers import AutoModel, pipeline",
        "from transformers import AutoModel, pipeline; import brant_hf",
        "import transformers; import brant_hf; transformers.AutoModel; transformers.pipeline",
        # Modules that import the auto classes on their way, or are imported by them.
        "from brant_hf import BrantForPreTraining",
        "import brant_hf; import transformers.generation.utils",
        "import brant_hf.detection.pipeline",
    ],
)
def test_auto_classes_and_pipelines_know_brant(imports):
    code = f"""{imports}
import transformers
from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING
from transformers.pipelines import PIPELINE_REGISTRY
sizes = dict(hidden_size=16, intermediate_size=24, num_temporal_layers=1, num_spatial_layers=1, num_attention_heads=2)
config = transformers.AutoConfig.for_model("brant", **sizes)
for name in ("AutoModel", "AutoModelForPreTraining", "AutoModelForTimeSeriesPrediction"):
    print(type(getattr(transformers, name).from_config(config)).__name__)
print(FEATURE_EXTRACTOR_MAPPING[type(config)].__name__)
print(PIPELINE_REGISTRY.check_task("seizure-detection")[1]["impl"].__name__)
"""
    expected = ["BrantModel", "BrantForPreTraining", "BrantForForecasting", "BrantFeatureExtractor"]
    assert run(code) == [*expected, "SeizureDetectionPipeline"]


def test_unpickling_is_enough_for_the_auto_classes(small_config):
    import pickle

    pickled = pickle.dumps(small_config())
    code = f"import pickle; config = pickle.loads({pickled!r})\nfrom transformers import AutoModel\n"
    assert run(f"{code}print(type(AutoModel.from_config(config)).__name__)") == ["BrantModel"]
