"""FIF files and objects of MNE-Python with interruptions."""

import pickle
import warnings

import mne
import numpy as np
import pytest

from brant_hf.data import open_recording

RATE = 200
SIGNAL = np.random.default_rng(0).normal(0, 50, (2, 4000))
pytestmark = pytest.mark.filterwarnings("ignore:.*(typed EEG|does not tell its subject)")


def raw_of(signal=SIGNAL, first_samp=0, annotations=()):
    info = mne.create_info(["LA1", "LA2"], RATE, "seeg")
    raw = mne.io.RawArray(signal * 1e-6, info, first_samp=first_samp, verbose="error")
    raw.set_annotations(mne.Annotations(*zip(*annotations, strict=True)) if annotations else None)
    return raw


@pytest.mark.parametrize("is_object", [False, True])
@pytest.mark.parametrize("first_samp", [0, 1000])
def test_what_was_not_saved_is_missing(tmp_path, first_samp, is_object):
    # Without a date of measurement, times count from the first sample that is there.
    annotations = [(5.0, 4.0, "BAD_ACQ_SKIP"), (12.0, 2.0, "seizure"), (18.5, 1.5, "BAD_ACQ_SKIP")]
    path = tmp_path / "rec_raw.fif"
    raw_of(first_samp=first_samp, annotations=annotations).save(path, verbose="error")
    raw = mne.io.read_raw(path, verbose="error")
    recording = open_recording(raw if is_object else path)
    assert recording.gaps == [(5.0, 9.0), (18.5, 20.0)]
    assert recording.seizures == [(12.0, 14.0, None)]
    read, expected = recording.read(), SIGNAL.copy()
    expected[:, 1000:1800] = expected[:, 3700:] = np.nan
    np.testing.assert_allclose(read, expected, atol=1e-3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording)).read(4, 10), read[:, 800:2000])
    cropped = open_recording(raw.copy().crop(6.0, 15.0))
    assert cropped.gaps == [(0.0, 3.0)]
    np.testing.assert_allclose(cropped.read(2, 4), expected[:, 1600:2000], atol=1e-3)


def test_every_place_of_a_gap_is_that_of_its_samples(tmp_path):
    for start in range(997, 1003):
        recording = open_recording(raw_of(annotations=[(start / RATE, 7 / RATE, "BAD_ACQ_SKIP")]))
        assert np.flatnonzero(np.isnan(recording.read()[0])).tolist() == list(range(start, start + 7))


@pytest.mark.parametrize("is_object", [False, True])
def test_joined_parts_are_told(tmp_path, is_object):
    joined = mne.concatenate_raws([raw_of(SIGNAL[:, :2000]), raw_of(SIGNAL[:, 2000:])], verbose="error")
    joined.save(tmp_path / "rec_raw.fif", verbose="error")
    with pytest.warns(UserWarning, match=r"parts were joined at 10\.00 s, .*other tables may not") as caught:
        recording = open_recording(joined if is_object else tmp_path / "rec_raw.fif")
    assert sum("joined" in str(warning.message) for warning in caught) == 1
    assert (recording.duration, recording.gaps) == (20.0, [])


def test_an_uninterrupted_file_says_nothing(tmp_path):
    raw_of(annotations=[(5.0, 1.0, "BAD_segment")]).save(tmp_path / "rec_raw.fif", verbose="error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_recording(tmp_path / "rec_raw.fif", subject="p1").gaps == []


def test_a_missing_part_of_a_file_in_parts(tmp_path):
    signal = np.random.default_rng(1).normal(0, 50, (2, 400_000))
    raw_of(signal).save(tmp_path / "rec_raw.fif", split_size="2MB", verbose="error")
    assert open_recording(tmp_path / "rec_raw.fif").num_samples == 400_000
    next(tmp_path.glob("rec_raw-1.fif")).unlink()
    with pytest.raises((ValueError, OSError), match=r"rec_raw\.fif.*rec_raw-1\.fif"):
        open_recording(tmp_path / "rec_raw.fif")


def test_a_part_that_has_not_been_fetched(tmp_path):
    signal = np.random.default_rng(1).normal(0, 50, (2, 400_000))
    raw_of(signal).save(tmp_path / "rec_raw.fif", split_size="2MB", verbose="error")
    (tmp_path / "rec_raw-1.fif").unlink()
    (tmp_path / "rec_raw-1.fif").write_text("/annex/objects/MD5E-s1--0.fif\n")
    with pytest.raises(FileNotFoundError, match=r"rec_raw-1\.fif .*not been fetched"):
        open_recording(tmp_path / "rec_raw.fif")


def test_a_file_that_was_cut(tmp_path):
    path = tmp_path / "rec_raw.fif"
    raw_of().save(path, verbose="error")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises((ValueError, OSError), match=r"rec_raw"):
        open_recording(path)


@pytest.mark.parametrize("name", ["rec_raw.FIF", "zwei Wörter_raw.fif", "rec.fif"])
def test_names(tmp_path, name):
    raw_of().save(tmp_path / "a_raw.fif", verbose="error")
    path = (tmp_path / "a_raw.fif").rename(tmp_path / name)
    np.testing.assert_allclose(open_recording(path).read(), SIGNAL, atol=1e-3)
