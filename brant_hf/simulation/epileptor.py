"""Networks of Epileptor neural masses, many patients integrated together.

The equations are those of Jirsa, Stacey, Quilichini, Ivanov and Bernard, "On the nature of seizure dynamics", Brain
137:2210-2230 (2014), with the integral ``g`` written as a sixth equation. In the paper's notation, for one region::

    x1' = y1 - f1(x1, x2, z) - z + Irest1
    y1' = 1 - 5 x1^2 - y1
    z'  = rate (4 (x1 - x0) - z - 0.1 z^7 [z < 0] - coupling)
    x2' = -y2 + x2 - x2^3 + Irest2 + 2 g - 0.3 (z - 3.5)
    y2' = (-y2 + f2(x2)) / tau2
    g'  = -0.01 (g - 0.1 x1)

    f1 = x1^3 - 3 x1^2 if x1 < 0, else (x2 - 0.6 (z - 4)^2) x1
    f2 = 6 (x2 + 0.25) if x2 >= -0.25, else 0

``2 g`` here equals the paper's ``0.002 g``, whose ``g`` is the integral without the factor 0.001. ``rate`` is 1 /
tau0, and the coupling of the permittivity variable between regions is that of Proix et al., "Permittivity coupling
across brain regions determines seizure recruitment in partial epilepsy", J Neurosci 34:15009-15021 (2014)::

    coupling_i = sum_j W_ij max(x1_j - x1_i, 0),    W_ij >= 0

so that a seizing neighbour lowers z and brings a region closer to its own seizure. (The negative part of the
difference is left out: in a network of many quiet regions it ends every seizure early. x1 enters averaged over
`COUPLING_TIME`.) A region alone has a stable interictal fixed point for x0 below -2.06 and seizes by itself above.

The equations have no unit of time. Here one second is `UNITS_PER_SECOND` units, which puts the fast discharge (about 4
units) near 16 Hz and the spike-and-wave events (about 28 units) near 2.3 Hz; the local speed then falls as z rises
through the seizure (`tempo`), which is how the discharges slow towards the offset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

I_REST_1 = 3.1
I_REST_2 = 0.45
"""The paper's value; the smaller Irest2 of a region, the fewer spike-and-wave events between and in seizures."""
TAU_2 = 10.0

UNITS_PER_SECOND = 64.0
# Two or four times as many steps change the amplitude of a seizure by 1.3 % and the course of z by less than 0.1 %.
STEPS_PER_SECOND = 1024
# The coupling, the tempo and the control inputs act through z, which is hundreds of times slower than x1: holding them
# for 1/64 s changes nothing that can be seen and saves the sum over all pairs of regions in every step.
BLOCKS_PER_SECOND = 64
COUPLING_TIME = 0.5
"""Time constant [s] over which the coupling averages x1, longer than a cycle of the discharge."""
SOURCE_RATE = 256
"""Rate [Hz] at which the source of every region is kept."""

# z at the two ends of a seizure: the knee of the lower branch, 4.1 - 2 x1^2 - x1^3 at x1 = -4/3, and about where the
# spike-and-wave events stop.
Z_ONSET = 2.915
Z_OFFSET = 3.9
TEMPO_ONSET = 1.5
TEMPO_OFFSET = 0.6

NOISE_X2 = 0.05
"""Standard deviation of the noise on x2 and y2 per square root of a unit of time (the paper's variance, 0.0025)."""

# z stays in 2.8..4.3. Far below its range it makes x1 grow without bound, so a strong coupling must not push it there.
_LEAST_Z = 2.0


def epileptor_rhs(
    state: np.ndarray,
    excitability: np.ndarray | float,
    rate: np.ndarray | float,
    coupling: np.ndarray | float = 0.0,
    spike_wave_current: np.ndarray | float = I_REST_2,
) -> np.ndarray:
    """Time derivative (6, ...) of the Epileptor, per unit of its own time.

    Parameters
    ----------
    state : array, shape (6, ...)
        x1, y1, z, x2, y2, g.
    excitability : array, broadcasts to shape (...)
        x0.
    rate : array, broadcasts to shape (...)
        1 / tau0.
    coupling : array, broadcasts to shape (...)
        What `permittivity_coupling` gives.
    spike_wave_current : array, broadcasts to shape (...)
        Irest2.
    """
    x1, y1, z, x2, y2, g = state
    out = np.empty_like(state)
    dx1, dy1, dz, dx2, dy2, dg = out

    x1_squared = x1 * x1
    f1 = z - 4.0
    f1 *= f1
    f1 *= -0.6
    f1 += x2
    f1 *= x1
    np.copyto(f1, x1_squared * (x1 - 3.0), where=x1 < 0.0)
    np.subtract(y1, f1, out=dx1)
    dx1 -= z
    dx1 += I_REST_1

    np.multiply(x1_squared, -5.0, out=dy1)
    dy1 -= y1
    dy1 += 1.0

    np.subtract(x1, excitability, out=dz)
    dz *= 4.0
    dz -= z
    dz -= coupling
    if z.min() < 0.0:
        dz -= 0.1 * np.minimum(z, 0.0) ** 7
    dz *= rate

    np.multiply(x2, x2, out=dx2)
    np.subtract(1.0, dx2, out=dx2)
    dx2 *= x2
    dx2 -= y2
    dx2 += 2.0 * g
    dx2 -= 0.3 * z
    dx2 += spike_wave_current
    dx2 += 0.3 * 3.5

    np.add(x2, 0.25, out=dy2)
    np.maximum(dy2, 0.0, out=dy2)
    dy2 *= 6.0
    dy2 -= y2
    dy2 *= 1.0 / TAU_2

    np.multiply(x1, 0.1, out=dg)
    dg -= g
    dg *= 0.01
    return out


def resting_x1(excitability: np.ndarray) -> np.ndarray:
    """x1 at the interictal fixed point: the root below -4/3 of 4 (x1 - x0) = 4.1 - 2 x1^2 - x1^3, for x0 < -2.06."""
    x1 = np.full(np.shape(excitability), -2.0)
    for _ in range(30):
        x1 -= (x1**3 + 2 * x1**2 + 4 * x1 - 4 * excitability - 4.1) / (3 * x1**2 + 4 * x1 + 4)
    return x1


def resting_state(excitability: np.ndarray) -> np.ndarray:
    """Return the interictal state (6, ...) from which a simulation starts, for x0 below -2.06.

    It is the fixed point of x1, y1, z and g; x2 and y2 start at their quiet state and settle within a second.
    """
    x1 = resting_x1(excitability)
    return np.stack([x1, 1 - 5 * x1**2, 4 * (x1 - excitability), np.full_like(x1, -1.0), np.zeros_like(x1), 0.1 * x1])


def tempo(permittivity: np.ndarray) -> np.ndarray:
    """Local speed of a region: `TEMPO_ONSET` at the start of a seizure, falling with z to `TEMPO_OFFSET` at its end.

    In units of Epileptor time per 1 / `UNITS_PER_SECOND` s.
    """
    progress = np.clip((permittivity - Z_ONSET) / (Z_OFFSET - Z_ONSET), 0.0, 1.0)
    return TEMPO_ONSET + (TEMPO_OFFSET - TEMPO_ONSET) * progress


@dataclass(frozen=True)
class Drive:
    """What controls the networks of P patients with R regions over S seconds; one value a second.

    Attributes
    ----------
    excitability : array, shape (S, P, R)
        x0.
    rate : array, shape (S, P, R)
        1 / tau0, the speed of the permittivity variable.
    coupling_strength : array, shape (S, P, R)
        Factor of the rows of `connectivity`, of what a region receives.
    connectivity : array, shape (P, R, R)
        Row i holds what region i receives.
    spike_wave_current : array, shape (P, R)
        Irest2.
    speed : array, shape (P,)
        Factor of the time scale of a patient, about 1.
    """

    excitability: np.ndarray
    rate: np.ndarray
    coupling_strength: np.ndarray
    connectivity: np.ndarray
    spike_wave_current: np.ndarray
    speed: np.ndarray


@dataclass(frozen=True)
class Trajectory:
    """What is kept of an integration of P patients with R regions over S seconds.

    Attributes
    ----------
    source : array, shape (P, R, S * SOURCE_RATE), float32
        x2 - x1, the paper's field potential, averaged over each sample.
    activation : array, shape (P, R, S * BLOCKS_PER_SECOND), float32
        x1, averaged over each block.
    permittivity : array, shape (P, R, S * BLOCKS_PER_SECOND), float32
        z at the end of each block.
    """

    source: np.ndarray
    activation: np.ndarray
    permittivity: np.ndarray


def heun_step(
    state: np.ndarray,
    step: np.ndarray | float,
    noise: np.ndarray | None,
    excitability: np.ndarray | float,
    rate: np.ndarray | float,
    coupling: np.ndarray | float = 0.0,
    spike_wave_current: np.ndarray | float = I_REST_2,
) -> None:
    """One stochastic Heun step (additive noise), in place.

    Parameters
    ----------
    state : array, shape (6, ...)
        Changed in place.
    step : array, broadcasts to shape (...) | float
        Length of the step, in units of Epileptor time.
    noise : array, shape (2, ...) | None
        Increments of x2 and y2 over the step.
    excitability, rate, coupling, spike_wave_current : array | float
        As in `epileptor_rhs`, held over the step.
    """
    slope = epileptor_rhs(state, excitability, rate, coupling, spike_wave_current)
    predictor = slope * step
    predictor += state
    if noise is not None:
        predictor[3:5] += noise
    slope += epileptor_rhs(predictor, excitability, rate, coupling, spike_wave_current)
    slope *= 0.5 * step
    state += slope
    if noise is not None:
        state[3:5] += noise


def permittivity_coupling(weights: np.ndarray, x1: np.ndarray) -> np.ndarray:
    """Return what every region receives from the more active ones: sum_j W_ij max(x1_j - x1_i, 0), shape (..., R).

    Row i of `weights` (..., R, R) holds what region i receives.
    """
    difference = x1[..., None, :] - x1[..., :, None]
    np.maximum(difference, 0.0, out=difference)
    difference *= weights
    return difference.sum(axis=-1)


def _second_of_noise(generators: Sequence[np.random.Generator], out: np.ndarray) -> None:
    """Fill `out`, shape (steps, 2, P, R), with standard normal numbers; every patient draws from its own generator."""
    steps, _, _, regions = out.shape
    for patient, generator in enumerate(generators):
        out[:, :, patient] = generator.standard_normal((steps, 2, regions), dtype=np.float32)


def _check_numbers(state: np.ndarray, second: int) -> None:
    if not np.isfinite(state).all():
        patients = sorted(set(np.nonzero(~np.isfinite(state))[1].tolist()))
        raise FloatingPointError(
            f"the Epileptor networks of patients {patients} of the batch diverged in second {second}"
        )


def integrate(
    drive: Drive, generators: Sequence[np.random.Generator], progress: Callable[[int], object] | None = None
) -> Trajectory:
    """Integrate the networks of several patients together with the stochastic Heun scheme.

    Patients never mix: each has its own generator and its own connectivity, and every operation is elementwise or a
    product per patient, so that a patient comes out the same in any batch.

    Parameters
    ----------
    drive : Drive
        Excitability, rate, coupling and connectivity.
    generators : sequence of Generator, length P
        One a patient.
    progress : callable | None
        Called after every second with P.

    Returns
    -------
    trajectory : Trajectory

    Raises
    ------
    FloatingPointError
        If a state is no longer a number.
    """
    seconds, patients, regions = drive.excitability.shape
    steps_per_block = STEPS_PER_SECOND // BLOCKS_PER_SECOND
    steps_per_sample = STEPS_PER_SECOND // SOURCE_RATE

    source = np.empty((patients, regions, seconds * SOURCE_RATE), np.float32)
    activation = np.empty((patients, regions, seconds * BLOCKS_PER_SECOND), np.float32)
    permittivity = np.empty_like(activation)

    state = resting_state(drive.excitability[0])
    slow_x1 = state[0].copy()
    noise = np.empty((STEPS_PER_SECOND, 2, patients, regions), np.float32)
    steps_x2_x1 = np.empty((steps_per_block, 2, patients, regions))
    block_source = np.empty((BLOCKS_PER_SECOND, steps_per_block // steps_per_sample, patients, regions))
    block_ends = np.empty((2, BLOCKS_PER_SECOND, patients, regions))
    unit = drive.speed[:, None] * (UNITS_PER_SECOND / STEPS_PER_SECOND)

    for second in range(seconds):
        _second_of_noise(generators, noise)
        weights = drive.connectivity * drive.coupling_strength[second][:, :, None]
        for block in range(BLOCKS_PER_SECOND):
            step = tempo(state[2]) * unit
            increments = noise[block * steps_per_block : (block + 1) * steps_per_block]
            increments *= NOISE_X2 * np.sqrt(step)
            inputs = (
                drive.excitability[second],
                drive.rate[second],
                permittivity_coupling(weights, slow_x1),
                drive.spike_wave_current,
            )
            for index in range(steps_per_block):
                heun_step(state, step, increments[index], *inputs)
                np.maximum(state[2], _LEAST_Z, out=state[2])
                steps_x2_x1[index] = state[3::-3]
            x2, x1 = steps_x2_x1[:, 0], steps_x2_x1[:, 1]
            mean_x1 = x1.mean(axis=0)
            slow_x1 += (mean_x1 - slow_x1) / (COUPLING_TIME * BLOCKS_PER_SECOND)
            block_source[block] = (x2 - x1).reshape(-1, steps_per_sample, patients, regions).mean(axis=1)
            block_ends[0, block], block_ends[1, block] = mean_x1, state[2]
        _check_numbers(state, second)
        samples = slice(second * SOURCE_RATE, (second + 1) * SOURCE_RATE)
        source[:, :, samples] = block_source.reshape(SOURCE_RATE, patients, regions).transpose(1, 2, 0)
        blocks = slice(second * BLOCKS_PER_SECOND, (second + 1) * BLOCKS_PER_SECOND)
        activation[:, :, blocks] = block_ends[0].transpose(1, 2, 0)
        permittivity[:, :, blocks] = block_ends[1].transpose(1, 2, 0)
        if progress is not None:
            progress(patients)
    return Trajectory(source, activation, permittivity)
