import json
import subprocess
import sys

import pytest

# Answers each line, a piece of code, with what a fork of this process prints when it runs that. What is imported here
# takes most of the time that an import of transformers takes, and has no part in what is tested.
FORKS = """
import gc, json, os, sys, traceback
gc.disable()
import torch, torch._dynamo.convert_frame, torch._meta_registrations, torch.distributed.tensor, scipy.optimize
for line in sys.stdin:
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(sender, 1)
        try:
            exec(json.loads(line), {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(0)
    os.close(sender)
    with open(receiver) as printed:
        print(json.dumps(printed.read()), flush=True)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def run():
    """Words that a piece of code prints in a process that has imported neither transformers nor this package."""
    with subprocess.Popen([sys.executable, "-c", FORKS], stdin=-1, stdout=-1, text=True, bufsize=1) as process:

        def call(code: str) -> list[str]:
            process.stdin.write(json.dumps(code) + "\n")
            return json.loads(process.stdout.readline()).split()

        yield call
        process.stdin.close()


def imported_by(code, names):
    """Which of the modules a new process has imported after this code."""
    code = f"{code}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_import_is_light(run):
    """Readers, plots and datasets are imported by what needs them, not by the names of this package."""
    heavy = ["mne", "mne_bids", "matplotlib", "datasets", "pandas", "h5py", "pynwb", "edfio", "sklearn", "peft", "neo"]
    code = (
        "import brant_hf, brant_hf.cli, brant_hf.data, brant_hf.data.corpora\n"
        "for module in (brant_hf, brant_hf.data, brant_hf.data.corpora):\n"
        "    [getattr(module, name) for name in module.__all__]\n"
        "import sys; print('all', *sys.modules)"
    )
    imported = run(code)
    assert imported[0] == "all"
    assert [name for name in heavy if name in imported] == []


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
def test_auto_classes_and_pipelines_know_brant(run, imports):
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


def test_unpickling_is_enough_for_the_auto_classes(run, small_config):
    import pickle

    pickled = pickle.dumps(small_config())
    code = f"import pickle; config = pickle.loads({pickled!r})\nfrom transformers import AutoModel\n"
    assert run(f"{code}print(type(AutoModel.from_config(config)).__name__)") == ["BrantModel"]
