"""Checkpoints as ONNX files: what ONNX Runtime makes of them, and what they say of themselves."""

import json
import runpy
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch

import brant_hf
from brant_hf import BrantConfig, BrantFeatureExtractor, BrantForPreTraining, BrantForSeizureDetection, onnx_export
from brant_hf.cli import main
from brant_hf.detection import DetectionSettings, read_event_file
from brant_hf.detection.facts import weights_sha256
from brant_hf.files import has_mark
from brant_hf.onnx_export import export_onnx

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

EXAMPLE = Path(__file__).parents[1] / "examples" / "onnx_detect.py"
LENGTH, PATCHES, RATE = 31, 6, 100  # an odd length has no Nyquist frequency
SHAPES = [(1, 1, 1), (2, 3, 2), (3, 5, PATCHES)]


def small_config(**fields) -> BrantConfig:
    small = {"hidden_size": 32, "intermediate_size": 48, "num_temporal_layers": 1, "num_spatial_layers": 1}
    window = {"patch_length": LENGTH, "num_patches": PATCHES, "sampling_rate": RATE, "initializer_range": 0.2}
    return BrantConfig(**small, **window, num_attention_heads=4, **fields)


def small_extractor() -> BrantFeatureExtractor:
    return BrantFeatureExtractor(sampling_rate=RATE, patch_length=LENGTH, num_patches=PATCHES, normalize="zscore")


@pytest.fixture(scope="module")
def model() -> BrantForSeizureDetection:
    torch.manual_seed(0)
    settings = {
        "threshold": 0.05,
        "min_duration": 0.0,
        "overlap": 0.25,
        "preprocessing": {"sampling_rate": RATE, "reference": "average"},
    }
    return BrantForSeizureDetection(small_config(detection=settings)).eval()


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    model.save_pretrained(folder)
    small_extractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def exports(checkpoint, tmp_path_factory) -> tuple[Path, Path, str, str]:
    """The file of a detector, that with weights in 8 bits, and what the command told that wrote the latter.

    Both are made of what PyTorch exports once, which takes most of the time.
    """
    folder = tmp_path_factory.mktemp("exported")
    programs, export = [], torch.onnx.export

    def export_once(*args, **options):
        if not programs:
            programs.append(export(*args, **options))
        return programs[0]

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setattr(torch.onnx, "export", export_once)
        # This one first: the products of layers are told by notes that are not kept.
        with pytest.raises(SystemExit) as stopped:
            main(["export", str(checkpoint), str(folder / "int8.onnx"), "--int8"])
        assert stopped.value.code == 0
        export_onnx(checkpoint, folder / "detector.onnx")
    return folder / "detector.onnx", folder / "int8.onnx", out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def exported(exports) -> Path:
    return exports[0]


def signal(windows: int, channels: int, patches: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    values = 3 * torch.randn(windows, channels, patches * LENGTH, generator=generator) + 1
    mask = torch.rand(windows, channels, generator=generator) < 0.7
    mask[:, 0] = True
    values[~mask] = torch.nan
    return values, mask


def run(path: Path, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path)
    inputs = {"input_values": values.numpy(), "channel_mask": mask.numpy()}
    return torch.from_numpy(session.run(None, inputs)[0])


def expected(model, values, mask) -> torch.Tensor:
    with torch.no_grad():
        return model(values, channel_mask=mask)[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_detector_says_the_same(exported, model, shape):
    values, mask = signal(*shape)
    output = run(exported, values, mask)
    assert output.shape == (*shape, 2)
    np.testing.assert_allclose(output[mask], expected(model, values, mask)[mask], atol=1e-5)


def test_what_the_file_says_of_itself(exported, model):
    session = onnxruntime.InferenceSession(exported)
    about = session.get_modelmeta()
    metadata = about.custom_metadata_map
    assert about.producer_name == "brant_hf"
    assert metadata["software"] == f"brant_hf {brant_hf.__version__}"
    assert metadata["precision"] == "float32"
    assert metadata["weights_sha256"] == weights_sha256(model)
    config = BrantConfig.from_dict(json.loads(metadata["config"]))
    assert config.label2id["seizure"] == 1
    assert config.detection == DetectionSettings.of(model.config).to_dict()
    assert BrantFeatureExtractor.from_dict(json.loads(metadata["feature_extractor"])).normalize == "zscore"
    assert "channel_mask" in about.description
    assert has_mark(exported)
    assert str(Path(brant_hf.__file__).parent).encode() not in exported.read_bytes()


def test_the_encoder_of_a_half_precision_model_with_its_weights_beside_it(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_export, "_LARGEST_FILE", 1000)
    torch.manual_seed(0)
    model = BrantForPreTraining(small_config(hidden_dropout=0.5)).bfloat16()
    files = export_onnx(model, tmp_path / "encoder.onnx", small_extractor())
    assert [file.name for file in files] == ["encoder.onnx", "encoder.onnx.data"]
    assert sorted(tmp_path.iterdir()) == files
    values, mask = signal(2, 3, 2)
    output = run(files[0], values, mask)
    assert model.dtype == torch.bfloat16
    assert model.training
    np.testing.assert_allclose(output[mask], expected(model.float().eval().base_model, values, mask)[mask], atol=1e-4)
    files[1].unlink()
    with pytest.raises(Exception, match=r"encoder\.onnx\.data"):
        run(files[0], values, mask)


def test_weights_in_8_bits(model, exports):
    exact, path, out, err = exports
    assert out.startswith("precision      int8\n")
    assert err == ""
    values, mask = signal(2, 3, 4)
    error = run(path, values, mask)[mask] - expected(model, values, mask)[mask]
    assert 1e-4 < error.norm() / expected(model, values, mask)[mask].norm() < 0.1
    assert onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map["precision"] == "int8"
    assert path.read_bytes().count(b"DynamicQuantizeLinear") >= 1
    assert {*path.parent.iterdir()} == {exact, path}


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("detector.tflite", {}, ValueError, "ends with .onnx"),
        ("missing/detector.onnx", {}, FileNotFoundError, "does not exist"),
        ("foreign.onnx", {}, FileExistsError, "no earlier output"),
    ],
)
def test_what_is_refused(checkpoint, tmp_path, name, options, error, message):
    (tmp_path / "foreign.onnx").write_bytes(b"pytorch")
    with pytest.raises(error, match=message):
        export_onnx(checkpoint, tmp_path / name, **options)
    assert [file.name for file in tmp_path.iterdir()] == ["foreign.onnx"]


def test_models_that_cannot_be_written(model, tmp_path):
    with pytest.raises(ValueError, match="feature extractor is needed"):
        export_onnx(model, tmp_path / "detector.onnx")
    other = BrantFeatureExtractor(sampling_rate=RATE, patch_length=50, num_patches=PATCHES)
    with pytest.raises(ValueError, match="patch_length 50"):
        export_onnx(model, tmp_path / "detector.onnx", other)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(checkpoint, tmp_path, monkeypatch):
    def fail(*args) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(onnx_export, "_describe", fail)
    monkeypatch.setattr(onnx_export, "_save_graph", lambda model, file, has_data: file.write_bytes(b"graph"))
    with pytest.raises(OSError, match="no space left"):
        export_onnx(checkpoint, tmp_path / "detector.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"needs onnxscript: pip install 'brant_hf\[onnx\]'"):
        export_onnx(checkpoint, tmp_path / "detector.onnx")


def test_the_example_finds_what_the_detector_finds_without_torch(exported, checkpoint, tmp_path):
    rng = np.random.default_rng(0)
    recording = tmp_path / "noise.fif"
    import mne

    names = [f"A{number + 1}" for number in range(3)]
    info = mne.create_info(names, RATE, "seeg")
    mne.io.RawArray(5e-5 * rng.standard_normal((3, 10 * LENGTH + 7)), info, verbose="error").save(
        recording, verbose="error"
    )
    code = (
        "import runpy, sys\n"
        "from importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"  # as where it is not installed: importing it raises ImportError
        "PathFinder.find_spec = lambda name, *more: None if name.split('.')[0] == 'torch' else find(name, *more)\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "assert 'torch' not in sys.modules\n"
    )
    events = tmp_path / "onnx.tsv"
    command = [sys.executable, "-c", code, str(EXAMPLE), str(exported), str(recording), str(events)]
    subprocess.run(command, check=True, capture_output=True)
    detector = brant_hf.detection.Detector.from_pretrained(checkpoint)
    result = detector.detect(brant_hf.data.open_recording(recording), progress=False)
    found = [(each["onset"], each["duration"], each["confidence"]) for each in read_event_file(events).events]
    assert len(found) == len(result.events) >= 1
    np.testing.assert_allclose(
        found, [(event.onset, event.duration, event.confidence) for event in result.events], atol=0.01
    )


@pytest.fixture
def identity(tmp_path) -> Path:
    """An ONNX file that no checkpoint was exported to."""
    from onnx import TensorProto, helper, save

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "logits")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["logits"])], "g", values[:1], values[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "other.onnx")
    return tmp_path / "other.onnx"


@pytest.mark.parametrize(
    ("file", "recording", "message"),
    [
        ("none.onnx", "noise.npz", "none.onnx does not exist; expected a detector that `brant-hf export` wrote"),
        ("folder", "noise.npz", "folder is a folder; expected a detector"),
        ("text.edf", "noise.npz", "text.edf is no ONNX file; expected one that"),
        ("other.onnx", "noise.npz", "other.onnx is no detector of `brant-hf export`"),
        (None, "none.edf", "none.edf does not exist; expected a recording file"),
        (None, "folder", "folder is a folder; expected one recording"),
        (None, "text.edf", "text.edf"),
    ],
)
def test_bad_input_of_the_example_gets_one_line(
    exported, identity, tmp_path, monkeypatch, capsys, file, recording, message
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.edf").write_text("no recording, and no model")
    np.savez(tmp_path / "noise.npz", data=np.random.default_rng(0).standard_normal((3, 500)), sampling_rate=RATE)
    before = sorted(tmp_path.iterdir())
    given = exported if file is None else tmp_path / file
    arguments = [str(EXAMPLE), str(given), str(tmp_path / recording), str(tmp_path / "e.tsv")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith("onnx_detect.py: ")
    assert message in told
    assert told.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
