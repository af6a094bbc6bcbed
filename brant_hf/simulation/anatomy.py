"""The anatomy of a virtual patient: regions, connections, depth electrodes and what every contact sees.

Coordinates are millimetres, x to the right, y to the front, z up, origin at the anterior commissure (ACPC); the brain
is an ellipsoid of the usual size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NUM_REGIONS = 64
BRAIN_CENTRE = np.array([0.0, -20.0, 12.0])
BRAIN_SEMI_AXES = np.array([68.0, 86.0, 60.0])

CONTACT_SPACING = 3.5
MIN_CONTACTS, MAX_CONTACTS = 8, 15
MIN_ELECTRODES, MAX_ELECTRODES = 6, 12
MAX_CHANNELS = 120

REGION_RADIUS = 5.0
"""A contact nearer than this [mm] to the centre of a region sees it at full strength: a region is no point."""
CONNECTION_LENGTH = 18.0
"""Distance [mm] over which the mean connection between two regions falls by e."""

# In clinical use letters name the electrodes in the order of planning and a prime marks the left hemisphere.
_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Anatomy:
    """Regions, connections and contacts of one patient.

    Attributes
    ----------
    regions : array, shape (R, 3)
        Centres of the regions [mm].
    connectivity : array, shape (R, R)
        Row i holds what region i receives; the rows sum to 1 on average, the diagonal is 0.
    foci : list of array of int
        Regions of every epileptogenic zone, one array a zone.
    contacts : array, shape (C, 3)
        Positions of the contacts [mm].
    channel_names : list of str, length C
        Such as ``A'1``: electrode, prime for the left hemisphere, contact counted from the tip.
    shafts : array of int, shape (C,)
        Electrode of every contact.
    gain : array, shape (C, R)
        Forward gain, 1 within `REGION_RADIUS`, falling with the squared distance beyond.
    """

    regions: np.ndarray
    connectivity: np.ndarray
    foci: list[np.ndarray]
    contacts: np.ndarray
    channel_names: list[str]
    shafts: np.ndarray
    gain: np.ndarray


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Euclidean distances [mm] between points (N, 3) and points (M, 3), shape (N, M)."""
    return np.linalg.norm(first[:, None, :] - second[None, :, :], axis=-1)


def forward_gain(contacts: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Return what a contact sees of a region: (REGION_RADIUS / distance) squared, 1 within the radius."""
    return (REGION_RADIUS / np.maximum(distances(contacts, regions), REGION_RADIUS)) ** 2


def _points_in_brain(count: int, generator: np.random.Generator) -> np.ndarray:
    direction = generator.standard_normal((count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = generator.random((count, 1)) ** (1 / 3)
    return BRAIN_CENTRE + direction * radius * 0.92 * BRAIN_SEMI_AXES


def _random_regions(side: int, generator: np.random.Generator) -> np.ndarray:
    """Centres (R, 3), two thirds of them in the implanted hemisphere, spread out by the best of some candidates."""
    regions = np.empty((NUM_REGIONS, 3))
    for index in range(NUM_REGIONS):
        candidates = _points_in_brain(20, generator)
        hemisphere = side if index % 3 else -side
        candidates[:, 0] = hemisphere * np.maximum(np.abs(candidates[:, 0]), 4.0)
        if index:
            nearest = distances(candidates, regions[:index]).min(axis=1)
            candidates = candidates[[nearest.argmax()]]
        regions[index] = candidates[0]
    return regions


def _random_connectivity(regions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    weights = np.exp(-distances(regions, regions) / CONNECTION_LENGTH)
    weights *= generator.lognormal(0.0, 0.5, weights.shape)
    np.fill_diagonal(weights, 0.0)
    return weights / weights.sum(axis=1).mean()


def _random_foci(regions: np.ndarray, side: int, generator: np.random.Generator) -> list[np.ndarray]:
    """One zone of 1 to 3 neighbouring regions in the implanted hemisphere, a second one in a quarter of patients."""
    implanted = np.flatnonzero(regions[:, 0] * side > 0)
    apart = distances(regions, regions)
    # Zones at the very surface would be seen by the outermost contacts only.
    reachable = implanted[np.abs(regions[implanted, 0]) < 45.0]
    centre = int(generator.choice(reachable))
    foci = [implanted[np.argsort(apart[centre, implanted])[: generator.integers(1, 4)]]]
    if generator.random() < 0.25:
        far = reachable[apart[centre, reachable] > 40.0]
        if far.size:
            other = int(generator.choice(far))
            foci.append(implanted[np.argsort(apart[other, implanted])[: generator.integers(1, 3)]])
    return foci


def _contact_counts(num_channels: int | None, generator: np.random.Generator) -> np.ndarray:
    """Contacts of every electrode; more and longer electrodes where `num_channels` asks for them."""
    counts = generator.integers(MIN_CONTACTS, MAX_CONTACTS + 1, generator.integers(MIN_ELECTRODES, MAX_ELECTRODES + 1))
    if num_channels is None:
        while counts.sum() > MAX_CHANNELS:
            counts = counts[:-1]
        return counts
    while counts.sum() < num_channels:
        if counts.size < MAX_ELECTRODES:
            counts = np.append(counts, generator.integers(MIN_CONTACTS, MAX_CONTACTS + 1))
        else:
            counts[counts.argmin()] += 1
    return counts


def _shaft_targets(
    regions: np.ndarray, foci: list[np.ndarray], side: int, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Regions that the electrodes aim at, shape (count,): epileptogenic zones first, as an implantation is planned."""
    wanted = np.concatenate(foci)
    # The first electrodes go to the first region of every zone, so that every seizure is seen even with few channels.
    first = [zone[0] for zone in foci]
    rest = np.setdiff1d(wanted, first)
    implanted = np.setdiff1d(np.flatnonzero(regions[:, 0] * side > 0), wanted)
    others = generator.permutation(implanted)
    return np.concatenate([first, rest, others]).astype(int)[:count]


def _depth(point: np.ndarray, outwards: np.ndarray) -> float:
    """Distance [mm] from a point in the brain to its surface in the direction of the unit vector `outwards`."""
    place, direction = (point - BRAIN_CENTRE) / BRAIN_SEMI_AXES, outwards / BRAIN_SEMI_AXES
    a, b, c = direction @ direction, place @ direction, place @ place - 1.0
    return float((-b + np.sqrt(b * b - a * c)) / a)


def _shaft(target: np.ndarray, contacts: int, generator: np.random.Generator) -> np.ndarray:
    """Positions (contacts, 3) from the tip outwards: a straight shaft from the side of the head through `target`."""
    outwards = np.array([np.sign(target[0]), generator.uniform(-0.35, 0.35), generator.uniform(-0.25, 0.35)])
    outwards /= np.linalg.norm(outwards)
    aim = target + generator.uniform(-1.5, 1.5, 3)
    length = CONTACT_SPACING * (contacts - 1)
    # The tip ends at the target, or beyond it where the outer contacts would not be in the brain.
    beyond = max(generator.uniform(0.0, 1.0) * CONTACT_SPACING, length - _depth(aim, outwards) + 0.5)
    return aim + (CONTACT_SPACING * np.arange(contacts)[:, None] - beyond) * outwards


def _kept_contacts(
    contacts: np.ndarray, shafts: np.ndarray, targets: np.ndarray, num_channels: int | None
) -> np.ndarray:
    """Return the indices of the contacts to record.

    Whole electrodes, and of the last one the contacts around its target.
    """
    if num_channels is None:
        return np.arange(len(contacts))
    last = shafts[num_channels - 1]
    whole = np.flatnonzero(shafts < last)
    part = np.flatnonzero(shafts == last)
    count = num_channels - whole.size
    nearest = int(distances(contacts[part], targets[[last]]).argmin())
    first = int(np.clip(nearest - (count - 1) // 2, 0, part.size - count))
    return np.concatenate([whole, part[first : first + count]])


def random_anatomy(num_channels: int | None, generator: np.random.Generator) -> Anatomy:
    """Draw the anatomy and the implantation of a patient.

    Parameters
    ----------
    num_channels : int | None
        Contacts to keep, 2 to 120; None for what 6 to 12 electrodes of 8 to 15 contacts give.
    generator : Generator

    Returns
    -------
    anatomy : Anatomy
    """
    side = int(generator.choice([-1, 1]))
    regions = _random_regions(side, generator)
    connectivity = _random_connectivity(regions, generator)
    foci = _random_foci(regions, side, generator)
    counts = _contact_counts(num_channels, generator)
    targets = _shaft_targets(regions, foci, side, counts.size, generator)
    prime = "'" if side < 0 else ""

    contacts = np.concatenate([_shaft(regions[t], n, generator) for t, n in zip(targets, counts, strict=True)])
    names = [f"{letter}{prime}{k + 1}" for letter, n in zip(_LETTERS, counts, strict=False) for k in range(n)]
    shafts = np.repeat(np.arange(counts.size), counts)
    kept = _kept_contacts(contacts, shafts, regions[targets], num_channels)
    contacts, shafts = contacts[kept], shafts[kept]
    # Electrode k goes to zone k: a zone that none of the kept contacts sees would seize unnoticed.
    foci = foci[: shafts.max() + 1]
    return Anatomy(
        regions=regions,
        connectivity=connectivity,
        foci=foci,
        contacts=contacts,
        channel_names=[names[index] for index in kept],
        shafts=shafts,
        gain=forward_gain(contacts, regions),
    )
