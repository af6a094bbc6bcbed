import warnings
from functools import partial

from brant_hf.data import find_recordings, open_recording
from brant_hf.detection import SeizureDetectionPipeline


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
