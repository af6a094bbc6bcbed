import threading
import warnings
from functools import partial
from pathlib import Path

from brant_hf.data import find_recordings, open_recording
from brant_hf.detection import Detector, SeizureDetectionPipeline, write_report
from brant_hf.user_warnings import warn


def test_warnings_point_at_the_line_of_the_user(write_edf, noise, tmp_path):
    path = write_edf(tmp_path / "a.edf", noise(2, 1000), 100)
    (tmp_path / "a_events.tsv").write_text("onset\tduration\ttrial_type\n2\tn/a\tseizure onset\n")
    volts = {"array": noise(2, 1000) * 1e-6, "sampling_rate": 100}
    pipe = SeizureDetectionPipeline.from_pretrained(progress=False)
    calls = (open_recording, lambda each: find_recordings([each]), pipe)
    for call in (lambda: open_recording(path), *(partial(each, volts) for each in calls)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert caught
        assert {each.filename for each in caught} == {__file__}, [str(each.message) for each in caught]


class _Grumbling:
    """Reads samples and warns, where another thread reads ahead."""

    def __init__(self, read) -> None:
        self.read = read

    def __call__(self, start: int, stop: int):
        if threading.current_thread() is not threading.main_thread():
            warn("noise: a block\n is damaged")
        return self.read(start, stop)


def test_a_result_holds_what_was_warned_of(detector, extractor, noise, tmp_path: Path):
    array = {"array": noise(2, 2000) * 1e-3, "sampling_rate": 100}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which changes nothing
        opened = open_recording(array)
        opened.source = _Grumbling(opened.source)
        result = Detector(detector(), extractor()).detect(open_recording(opened, start=1), progress=False)
    (scale,) = opened.warnings
    assert scale.startswith("array: the unit of CH1, CH2 should be 'uV'")
    assert result.warnings == [scale, "noise: a block is damaged"]
    assert result.with_settings(threshold=0.9).warnings == result.to_dict()["warnings"] == result.warnings
    write_report(open_recording(opened, start=1), result.to_dict(), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<li>noise: a block is damaged</li>") == 1
    assert '<a href="#warnings">2 warnings</a>' in page


def test_what_is_noted_ends_with_its_context(detector, extractor, noise):
    finder = Detector(detector(), extractor())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = finder.detect({"array": noise(2, 1000) * 1e-6, "sampling_rate": 100}, progress=False)
    second = finder.detect({"array": noise(2, 1000), "sampling_rate": 100}, progress=False)
    assert len(first.warnings) == 1
    assert second.warnings == []
