"""Virtual patients: the Epileptor, the anatomy, the labels, the signals and the BIDS folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_lyapunov

from brant_hf.simulation import VirtualPatient, bids, simulate, simulate_patients, write_bids
from brant_hf.simulation.anatomy import (
    BRAIN_CENTRE,
    BRAIN_SEMI_AXES,
    CONTACT_SPACING,
    NUM_REGIONS,
    forward_gain,
    random_anatomy,
)
from brant_hf.simulation.artefacts import add_contact_noise, add_movement, add_muscle, add_rhythmic_movement
from brant_hf.simulation.background import Sleep, background, interictal_spikes, line_noise, rhythmic_runs, slow_waves
from brant_hf.simulation.epileptor import (
    Drive,
    epileptor_rhs,
    heun_step,
    integrate,
    permittivity_coupling,
    resting_state,
    tempo,
)
from brant_hf.simulation.patient import SimulationSettings, simulate_indices
from brant_hf.simulation.plan import AFTER_SEIZURE, max_seizures, random_plan
from brant_hf.simulation.seizures import channel_seizures, intervals

SHORT = {"duration": 78, "num_channels": 12, "sampling_rate": 256}


@pytest.fixture(scope="module")
def patients() -> list[VirtualPatient]:
    return list(simulate_patients(3, seed=5, num_seizures=1, **SHORT))


# --- Epileptor ---


def reference_rhs(_: float, state: np.ndarray, x0: float, tau0: float) -> list[float]:
    """The paper's equations, one region, written with plain branches."""
    x1, y1, z, x2, y2, g = state
    f1 = x1**3 - 3 * x1**2 if x1 < 0 else (x2 - 0.6 * (z - 4) ** 2) * x1
    f2 = 0.0 if x2 < -0.25 else 6 * (x2 + 0.25)
    return [
        y1 - f1 - z + 3.1,
        1 - 5 * x1**2 - y1,
        (4 * (x1 - x0) - z - (0.1 * z**7 if z < 0 else 0.0)) / tau0,
        -y2 + x2 - x2**3 + 0.45 + 2 * g - 0.3 * (z - 3.5),
        (-y2 + f2) / 10,
        -0.01 * (g - 0.1 * x1),
    ]


def test_right_hand_side_by_hand():
    # Both branches of f1, f2 and of the z^7 term, with round numbers.
    state = np.array([[-1.0, 1.0], [-4.0, -4.0], [3.0, -1.0], [-1.0, 0.75], [0.5, 1.0], [0.1, -0.1]])
    slope = epileptor_rhs(state, excitability=-2.0, rate=0.001, coupling=np.array([0.5, 0.0]))
    np.testing.assert_allclose(
        slope[:, 0], [-4 + 4 - 3 + 3.1, 0.0, 0.001 * (4 - 3 - 0.5), 0.3, -0.05, -0.002], atol=1e-12
    )
    f1 = 0.75 - 0.6 * 25
    dx2 = -1 + 0.75 - 0.75**3 + 0.45 - 0.2 + 0.3 * 4.5
    np.testing.assert_allclose(
        slope[:, 1], [-4 - f1 + 1 + 3.1, 0.0, 0.001 * (12 + 1 + 0.1), dx2, (-1 + 6) / 10, 0.002], atol=1e-12
    )


def test_right_hand_side_equals_reference():
    generator = np.random.default_rng(0)
    states = generator.uniform(-2, 2, (6, 200)) + np.array([0, -8, 2, 0, 1, 0])[:, None]
    expected = np.transpose([reference_rhs(0.0, state, -1.8, 2857.0) for state in states.T])
    np.testing.assert_allclose(epileptor_rhs(states, -1.8, 1 / 2857), expected, rtol=1e-12, atol=1e-12)


def test_trajectory_without_noise_equals_solve_ivp():
    start = np.array([-1.6, -11.8, 2.93, -1.0, 0.0, -0.16])
    units, step = 60.0, 0.01
    exact = solve_ivp(reference_rhs, (0, units), start, args=(-1.6, 2857.0), rtol=1e-9, atol=1e-9).y[:, -1]
    state = start[:, None].copy()
    for _ in range(round(units / step)):
        heun_step(state, step, None, -1.6, 1 / 2857)
    assert exact[0] > -1.4, "the reference passes the onset, so that both branches are tested"
    np.testing.assert_allclose(state[:, 0], exact, rtol=0.01, atol=0.01)


def test_resting_state_is_a_fixed_point():
    excitability = np.linspace(-3.0, -2.1, 20)
    state = resting_state(excitability)
    slope = epileptor_rhs(state, excitability, 1.0)
    np.testing.assert_allclose(slope[[0, 1, 2, 5]], 0.0, atol=1e-10)
    assert (state[0] < -4 / 3).all()


def test_noise_enters_x2_and_y2():
    state = np.zeros((6, 1, 1))
    noise = np.full((2, 1, 1), 0.25)
    heun_step(state, 0.0, noise, -2.0, 0.0)
    np.testing.assert_array_equal(state.ravel(), [0, 0, 0, 0.25, 0.25, 0])


def test_noise_has_the_variance_of_the_paper():
    drive = replace(one_drive(16, 6, slice(0, 0)), spike_wave_current=np.zeros((16, 4)))
    source = integrate(drive, [np.random.default_rng(k) for k in range(16)]).source[:, :, 512:]

    # Around its quiet state x2 = r the linear system is x2' = a x2 - y2, y2' = -y2 / 10, both with white noise of
    # variance 0.0025; its stationary covariance solves the Lyapunov equation.
    x1 = resting_state(np.array(-2.3))[0]
    drift = 0.2 * x1 - 0.3 * (4 * (x1 + 2.3) - 3.5)
    roots = np.roots([-1, 0, 1, drift])
    rest = roots[np.isreal(roots)].real.min()
    covariance = solve_continuous_lyapunov(np.array([[1 - 3 * rest**2, -1], [0, -0.1]]), -0.0025 * np.eye(2))
    assert source.std() == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.15)


def test_coupling_comes_from_more_active_regions():
    weights = np.array([[0.0, 0.5, 1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(permittivity_coupling(weights, np.array([-1.0, -2.0, 0.0])), [1.0, 2.0 + 2.0, 0.0])


def one_drive(patients: int, seconds: int, seizing: slice) -> Drive:
    excitability = np.full((seconds, patients, 4), -2.3)
    excitability[seizing, :, 0] = -1.6
    return Drive(
        excitability=excitability,
        rate=np.full(excitability.shape, 1 / 1000),
        coupling_strength=np.zeros(excitability.shape),
        connectivity=np.ones((patients, 4, 4)) - np.eye(4),
        spike_wave_current=np.full((patients, 4), 0.45),
        speed=np.ones(patients),
    )


def test_only_the_excitable_region_seizes_and_slows():
    trajectory = integrate(one_drive(1, 14, slice(2, 14)), [np.random.default_rng(0)])
    active = trajectory.activation[0] > -1.0
    assert active[0].any()
    assert not active[1:].any()
    onset = int(active[0].argmax())
    assert 2 * 64 < onset < 6 * 64
    assert trajectory.permittivity[0, 0, onset + 64] > trajectory.permittivity[0, 0, onset]
    assert tempo(np.array(2.9)) > tempo(np.array(3.4)) > tempo(np.array(4.2)) > 0


def test_strong_coupling_does_not_diverge():
    drive = one_drive(1, 6, slice(0, 6))
    strong = replace(drive, coupling_strength=np.full((6, 1, 4), 30.0), rate=np.full((6, 1, 4), 1 / 60))
    trajectory = integrate(strong, [np.random.default_rng(0)])
    assert np.isfinite(trajectory.source).all()
    assert np.abs(trajectory.activation).max() < 4


def test_divergence_is_reported():
    drive = replace(one_drive(2, 2, slice(0, 1)), spike_wave_current=np.array([[0.45] * 4, [np.nan] * 4]))
    with pytest.raises(FloatingPointError, match=r"patients \[1\] .* second 0"):
        integrate(drive, [np.random.default_rng(0), np.random.default_rng(1)])


# --- Anatomy ---


def test_forward_gain_is_inverse_square():
    regions = np.zeros((1, 3))
    contacts = np.array([[1.0, 0, 0], [5.0, 0, 0], [0, 10.0, 0], [0, 0, 20.0], [12.0, 16.0, 0]])
    np.testing.assert_allclose(forward_gain(contacts, regions)[:, 0], [1.0, 1.0, 1 / 4, 1 / 16, 1 / 16])


@pytest.mark.parametrize("seed", range(12))
def test_random_anatomy(seed):
    anatomy = random_anatomy(None, np.random.default_rng(seed))
    shafts, counts = np.unique(anatomy.shafts, return_counts=True)
    assert 6 <= shafts.size <= 12
    assert counts.min() >= 8
    assert counts.max() <= 15
    assert len(set(anatomy.channel_names)) == len(anatomy.channel_names) == len(anatomy.contacts) <= 120
    # Inside of the ellipsoid.
    regions, contacts = (
        (((points - BRAIN_CENTRE) / BRAIN_SEMI_AXES) ** 2).sum(axis=1) <= 1
        for points in (anatomy.regions, anatomy.contacts)
    )
    assert regions.all()
    assert contacts.mean() > 0.98
    assert anatomy.regions.shape == (NUM_REGIONS, 3)
    for shaft in shafts:
        steps = np.diff(anatomy.contacts[anatomy.shafts == shaft], axis=0)
        np.testing.assert_allclose(np.linalg.norm(steps, axis=1), CONTACT_SPACING)
        np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape))
    left = anatomy.contacts[:, 0].mean() < 0
    assert all(("'" in name) == left for name in anatomy.channel_names)
    # Every zone has a contact that sees its first region well.
    for zone in anatomy.foci:
        assert anatomy.gain[:, zone[0]].max() > 0.5
    assert (np.diag(anatomy.connectivity) == 0).all()
    near = np.linalg.norm(anatomy.regions[:, None] - anatomy.regions, axis=-1) < 25
    np.fill_diagonal(near, False)
    far = np.linalg.norm(anatomy.regions[:, None] - anatomy.regions, axis=-1) > 75
    assert anatomy.connectivity[near].mean() > 5 * anatomy.connectivity[far].mean()


@pytest.mark.parametrize("channels", [2, 3, 17, 80, 120])
@pytest.mark.parametrize("seed", range(6))
def test_number_of_channels(channels, seed):
    anatomy = random_anatomy(channels, np.random.default_rng(seed))
    assert len(anatomy.channel_names) == len(set(anatomy.channel_names)) == channels
    assert anatomy.contacts.shape == (channels, 3)
    assert anatomy.gain.shape == (channels, NUM_REGIONS)
    assert np.bincount(anatomy.shafts).max() <= 15
    assert all(anatomy.gain[:, zone[0]].max() > 0.5 for zone in anatomy.foci)


# --- Plan and labels ---


@pytest.mark.parametrize("duration", [90, 300, 600, 3600])
@pytest.mark.parametrize("seed", range(5))
def test_plan_fits(duration, seed):
    for count in {0, 1, max_seizures(duration)}:
        plan = random_plan(duration, count, [np.array([3])], np.random.default_rng(seed))
        assert len(plan) == count
        ends = [seizure.onset + seizure.duration for seizure in plan]
        assert all(15 <= seizure.duration <= 180 for seizure in plan)
        assert all(later.onset > end + AFTER_SEIZURE for later, end in zip(plan[1:], ends, strict=False))
        assert not plan or (plan[0].onset >= 15 and ends[-1] <= duration - AFTER_SEIZURE)


def test_intervals_close_gaps_and_drop_short_ones():
    active = np.zeros(100, bool)
    active[10:20] = active[23:30] = True  # a gap of 3 s is closed
    active[50:53] = True  # 3 s are too short
    active[90:] = True  # runs to the end
    assert intervals(active, 1.0) == [(10.0, 30.0), (90.0, 100.0)]
    assert intervals(np.zeros(5, bool), 1.0) == []


def test_channel_labels_of_a_hand_built_case():
    rate = 100
    times = np.arange(100 * rate) / rate
    sine = np.sqrt(2) * np.sin(2 * np.pi * 10 * times)  # root mean square 1
    component = np.stack([30 * sine, 25 * sine, 15 * sine, 30 * sine])
    component[0, (times < 20) | (times >= 50)] = 0
    component[1, (times < 30) | (times >= 45)] = 0
    component[2, (times < 30) | (times >= 45)] = 0
    component[3, (times < 80) | (times >= 92)] = 0
    seizures, table = channel_seizures(component, np.full(4, 10.0), rate, ["A1", "A2", "A3", "B1"])
    # The third channel is at 1.5 times its background only.
    assert [(seizure.channels) for seizure in seizures] == [("A1", "A2"), ("B1",)]
    found = {(row.seizure, row.channel): (row.onset, row.offset) for row in table}
    assert found.keys() == {(0, "A1"), (0, "A2"), (1, "B1")}
    np.testing.assert_allclose(found[0, "A1"], (20, 50), atol=0.5)
    np.testing.assert_allclose(found[0, "A2"], (30, 45), atol=0.5)
    np.testing.assert_allclose(found[1, "B1"], (80, 92), atol=0.5)
    assert (seizures[0].onset, seizures[0].offset) == found[0, "A1"]


def test_no_label_without_a_seizure_component():
    assert channel_seizures(np.zeros((2, 1000)), np.ones(2), 100, ["A1", "A2"]) == ([], [])


# --- Background and artefacts ---


def band(signals: np.ndarray, rate: float, low: float, high: float) -> np.ndarray:
    power = np.abs(np.fft.rfft(signals, axis=-1)) ** 2
    frequencies = np.fft.rfftfreq(signals.shape[-1], 1 / rate)
    return power[..., (frequencies >= low) & (frequencies < high)].mean(axis=-1)


CONTACTS = np.arange(8)[:, None] * np.array([[3.5, 0.0, 0.0]])


def test_background_is_one_over_f_and_local():
    signals = background(CONTACTS, 60 * 256, 256, np.random.default_rng(0))
    rms = signals.std(axis=1)
    assert ((rms > 10) & (rms < 100)).all()
    slope = np.log(band(signals, 256, 2, 4) / band(signals, 256, 30, 60)) / np.log(15)
    assert ((slope > 1.5) & (slope < 4)).all()
    correlation = np.corrcoef(signals)
    assert correlation[0, 1] > 0.3
    assert abs(correlation[0, 7]) < 0.2


def test_slow_waves_only_while_asleep():
    scale = np.full(8, 30.0)
    signals = slow_waves(Sleep([(20.0, 50.0)]), CONTACTS, scale, 60 * 256, 256, np.random.default_rng(0))
    assert not signals[:, : 20 * 256].any()
    assert not signals[:, 50 * 256 :].any()
    asleep = signals[:, 30 * 256 : 40 * 256]
    assert (band(asleep, 256, 0.5, 2) > 20 * band(asleep, 256, 4, 8)).all()
    assert (asleep.std(axis=1) > 30).all()
    assert (signals[:, 20 * 256 : 21 * 256].std(axis=1) < 0.3 * asleep.std(axis=1)).all()
    depth = Sleep([(20.0, 50.0), (40.0, 60.0)]).depth(np.array([10.0, 20.0, 24.0, 35.0, 46.0, 60.0]))
    np.testing.assert_allclose(depth, [0.0, 0.0, 0.5, 1.0, 0.75, 0.0])


def test_rhythmic_runs_are_in_their_band():
    signals = rhythmic_runs(CONTACTS, np.full(8, 30.0), 300 * 256, 256, np.random.default_rng(0))
    assert (band(signals, 256, 3, 13) > 20 * band(signals, 256, 30, 60)).all()


@pytest.mark.parametrize("frequency", [50.0, 60.0])
@pytest.mark.parametrize("rate", [128, 512])
def test_line_noise_stays_below_nyquist(frequency, rate):
    signals = line_noise(frequency, 3, 10 * rate, rate, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(signals[0])) ** 2
    frequencies = np.fft.rfftfreq(10 * rate, 1 / rate)
    allowed = (np.abs((frequencies + frequency / 2) % frequency - frequency / 2) < 1) & (frequencies > 1)
    assert power[allowed].sum() > 0.99 * power.sum()
    assert abs(frequencies[power.argmax()] - frequency) < 1


def test_interictal_spikes_follow_their_rate_and_spread():
    neighbours = np.tile(np.arange(5), (5, 1))
    sources = interictal_spikes([np.array([2])], neighbours, 30.0, Sleep([]), 600.0, np.random.default_rng(0))
    peaks = np.flatnonzero(
        (sources[2][1:-1] < sources[2][:-2]) & (sources[2][1:-1] < sources[2][2:]) & (sources[2][1:-1] < -0.2)
    )
    assert 150 < peaks.size < 450
    assert np.abs(sources[4]).max() == 0 or np.abs(sources[2]).sum() > np.abs(sources[4]).sum()
    assert not interictal_spikes([np.array([2])], neighbours, 0.0, Sleep([]), 60.0, np.random.default_rng(0)).any()


@pytest.mark.parametrize("add", [add_rhythmic_movement, add_movement, add_contact_noise, add_muscle])
@pytest.mark.parametrize("seconds", [5, 120])
def test_artefacts_are_stretches(add, seconds):
    signals = np.zeros((12, seconds * 256))
    add(signals, 256, np.repeat([0, 1, 2], 4), np.random.default_rng(1))
    touched = np.flatnonzero(signals.any(axis=0))
    assert touched.size
    assert touched.size < 0.8 * signals.shape[1]
    assert np.isfinite(signals).all()
    assert (add is add_contact_noise) == (signals.any(axis=1).sum() == 1)


# --- Patients ---


@pytest.fixture(scope="module")
def calm_patients() -> list[VirtualPatient]:
    return list(simulate_patients(2, seed=1, num_seizures=0, duration=30, num_channels=4))


@pytest.fixture(scope="module")
def calm(calm_patients) -> VirtualPatient:
    return calm_patients[0]


def same(first: VirtualPatient, second: VirtualPatient) -> bool:
    return (
        first.name == second.name
        and first.signals.tobytes() == second.signals.tobytes()
        and first.positions.tobytes() == second.positions.tobytes()
        and first.channel_seizures == second.channel_seizures
    )


def test_a_patient_depends_on_seed_and_index_only(calm_patients):
    settings = SimulationSettings(30, 512, 4, 0)
    (alone,) = simulate_indices([1], 1, settings, batch_size=1)
    assert same(alone, calm_patients[1])
    assert not np.array_equal(calm_patients[0].signals, calm_patients[1].signals)


def test_seeds_give_other_patients(calm):
    other = next(simulate_patients(1, seed=2, num_seizures=0, duration=30, num_channels=4))
    assert not np.array_equal(calm.positions, other.positions)
    assert not np.array_equal(calm.signals, other.signals)


def test_shapes_and_amplitudes(patients):
    for patient in patients:
        assert patient.signals.shape == (12, 78 * 256)
        assert patient.signals.dtype == np.float32
        assert patient.duration == 78.0
        assert np.isfinite(patient.signals).all()
        quiet = np.median(np.abs(patient.signals), axis=1) / 0.6745
        assert ((quiet > 8) & (quiet < 250)).all()
        assert 200 < np.abs(patient.signals).max() < 10000


def test_seizures_are_where_they_were_asked_for(patients):
    for patient in patients:
        assert len(patient.seizures) == 1
        onset, offset, channels = patient.seizures[0]
        assert 5 < onset < offset < 78
        assert 10 < offset - onset < 60
        rows = patient.channel_seizures
        assert {row.channel for row in rows} == set(channels) <= set(patient.channel_names)
        assert min(row.onset for row in rows) == onset
        assert max(row.offset for row in rows) == offset
        started = [patient.region_seizures[region] for region in patient.epileptogenic_regions]
        assert min(start for region in started for start, _ in region) == pytest.approx(onset, abs=6)


def test_labelled_channels_are_louder_in_seizure(patients):
    for patient in patients:
        for row in patient.channel_seizures:
            signal = patient.signals[patient.channel_names.index(row.channel)]
            inside = np.zeros(signal.size, bool)
            inside[round(row.onset * 256) : round(row.offset * 256)] = True
            # Medians over seconds: artefacts and sleep must not decide.
            seconds = signal.reshape(-1, 256).std(axis=1)
            labels = inside.reshape(-1, 256).mean(axis=1)
            assert np.median(seconds[labels == 1]) > 1.3 * np.median(seconds[labels == 0])


def test_no_seizure(calm):
    assert calm.seizures == []
    assert calm.channel_seizures == []
    assert not any(calm.region_seizures)
    assert calm.sampling_rate == 512
    assert calm.signals.shape == (4, 30 * 512)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_patients": 0}, "num_patients is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"duration": 10}, "duration is 10 s"),
        ({"sampling_rate": 100}, "sampling_rate is 100 Hz"),
        ({"sampling_rate": 512.5}, "sampling_rate is 512.5 Hz"),
        ({"num_channels": 1}, "num_channels is 1"),
        ({"num_channels": 121}, "num_channels is 121"),
        ({"num_seizures": 9}, "a recording of 600 s holds 0 to 8"),
        ({"num_seizures": -1}, "num_seizures is -1"),
    ],
)
def test_wrong_parameters(wrong, message, tmp_path):
    arguments = {"num_patients": 1, "seed": 0, **wrong}
    with pytest.raises(ValueError, match=message):
        simulate_patients(**arguments)
    with pytest.raises(ValueError, match=message):
        simulate(tmp_path / "out", **arguments)
    assert not list(tmp_path.iterdir())


# --- BIDS ---


@pytest.fixture(scope="module")
def dataset(patients, tmp_path_factory):
    quiet = replace(patients[2], seizures=[], channel_seizures=[])
    return write_bids([*patients[:2], quiet], tmp_path_factory.mktemp("bids") / "dataset")


def test_bids_validator_finds_no_error(dataset):
    # Beside this interpreter: the environment need not be activated.
    validator = shutil.which("bids-validator-deno", path=Path(sys.executable).parent)
    assert validator is not None, "the extra `test` installs bids-validator-deno"
    run = subprocess.run([validator, str(dataset), "--format", "json"], capture_output=True, text=True, check=False)
    issues = json.loads(run.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_edf_keeps_microvolts(dataset, patients):
    mne_bids = pytest.importorskip("mne_bids")
    path = mne_bids.BIDSPath(root=dataset, subject="02", task="szMonitoring", run="01", datatype="ieeg", suffix="ieeg")
    raw = mne_bids.read_raw_bids(path, verbose="error")
    patient = patients[1]
    assert raw.ch_names == patient.channel_names
    assert set(raw.get_channel_types()) == {"seeg"}
    assert raw.info["sfreq"] == patient.sampling_rate
    assert raw.info["line_freq"] == patient.line_frequency
    read = raw.get_data() * 1e6
    step = (np.ptp(patient.signals, axis=1) + 0.5) / 65535
    assert (np.abs(read - patient.signals).max(axis=1) <= step).all()
    assert step.max() < 0.2
    positions = np.array([raw.info["chs"][index]["loc"][:3] for index in range(12)]) * 1000
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(positions, axis=0), axis=1),
        np.linalg.norm(np.diff(patient.positions, axis=0), axis=1),
        atol=0.03,
    )


def read_tsv(path) -> list[dict[str, str]]:
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def test_events_say_when_every_channel_is_in_seizure(dataset, patients):
    rows = read_tsv(dataset / "sub-01/ieeg/sub-01_task-szMonitoring_run-01_events.tsv")
    assert list(rows[0])[:7] == [
        "onset",
        "duration",
        "eventType",
        "confidence",
        "channels",
        "dateTime",
        "recordingDuration",
    ]
    assert all(row["eventType"] == "sz" and row["recordingDuration"] == "78.00" for row in rows)
    found = {
        name: (float(r["onset"]), float(r["onset"]) + float(r["duration"]))
        for r in rows
        for name in r["channels"].split(",")
    }
    expected = {row.channel: (row.onset, row.offset) for row in patients[0].channel_seizures}
    assert found.keys() == expected.keys()
    for name, times in expected.items():
        np.testing.assert_allclose(found[name], times, atol=0.011)
    (row,) = read_tsv(dataset / "sub-03/ieeg/sub-03_task-szMonitoring_run-01_events.tsv")
    assert (row["onset"], row["duration"], row["eventType"], row["channels"]) == ("0.00", "78.00", "bckg", "n/a")


def test_output_folders_are_not_overwritten(patients, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="there exists"):
        write_bids(patients[:1], tmp_path / "there")
    with pytest.raises(FileExistsError, match="there exists"):
        simulate(tmp_path / "there", 1)
    with pytest.raises(ValueError, match="no patient"):
        write_bids([], tmp_path / "none")
    with pytest.raises(ValueError, match="'01'"):
        write_bids([patients[0], patients[0]], tmp_path / "twice")
    assert not (tmp_path / "twice").exists()
    with pytest.raises(FileExistsError, match=r"twice\.partial is left"):
        write_bids(patients[:1], tmp_path / "twice")


def test_an_interrupted_run_goes_on(patients, tmp_path, monkeypatch, capsys):
    simulated = []

    def few_seconds(indices, seed, settings, batch_size, progress):
        for index in indices:
            simulated.append(index)
            progress(settings.duration)
            yield replace(patients[index], signals=patients[index].signals[:, : 5 * 256] + seed)

    monkeypatch.setattr(bids, "simulate_indices", few_seconds)
    whole = simulate(tmp_path / "whole", 3, seed=2)

    write = bids.write_subject

    def killed_in_the_second_subject(patient, root):
        if patient.name == "02":
            (root / ".sub-02").mkdir()
            raise KeyboardInterrupt
        write(patient, root)

    monkeypatch.setattr(bids, "write_subject", killed_in_the_second_subject)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "resumed", 3, seed=2, progress=False)
    assert not (tmp_path / "resumed").exists()
    monkeypatch.setattr(bids, "write_subject", write)
    with pytest.raises(ValueError, match="other parameters"):
        simulate(tmp_path / "resumed", 3, seed=3)
    simulated.clear()
    resumed = simulate(tmp_path / "resumed", 3, seed=2)
    assert simulated == [1, 2]
    assert capsys.readouterr().out == ""

    files = sorted(path.relative_to(whole) for path in whole.rglob("*"))
    assert len(files) > 20
    assert files == sorted(path.relative_to(resumed) for path in resumed.rglob("*"))
    assert all((whole / f).read_bytes() == (resumed / f).read_bytes() for f in files if (whole / f).is_file())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["resumed", "whole"]


def test_command(calm, tmp_path, monkeypatch):
    """The pages of the documentation have a command that simulates."""
    typer = pytest.importorskip("typer")
    from typer.testing import CliRunner

    from brant_hf.cli.simulate import simulate as command

    asked = []

    def simulated(indices, seed, settings, batch_size, progress):
        asked.append((list(indices), seed, settings))
        yield calm

    monkeypatch.setattr(bids, "simulate_indices", simulated)
    app = typer.Typer()
    app.command()(command)
    options = ["--patients", "1", "--seed", "4", "--duration", "30", "--channels", "2", "--seizures", "0"]
    result = CliRunner().invoke(app, [str(tmp_path / "out"), *options])
    assert result.exit_code == 0, result.output
    assert asked == [([0], 4, SimulationSettings(30, 512, 2, 0))]
    assert result.stdout.strip() == str(tmp_path / "out")
    assert (tmp_path / "out/sub-01/ieeg/sub-01_task-szMonitoring_run-01_ieeg.edf").stat().st_size > 1000
