"""Draw a seizure of a virtual patient beside what is published about seizures in stereo-EEG.

python examples/virtual_seizure.py --output examples/figures/virtual_seizure.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.gridspec import GridSpec
from scipy.signal import periodogram, spectrogram

from brant_hf.simulation import ChannelSeizure, Seizure, VirtualPatient, simulate_patients

BEFORE, AFTER = 12.0, 22.0
EXCERPT = 5.0
SEED = 28
SEIZURE_COLOUR = "#c0392b"
LIGHT = "#f4c7c0"


def signal_of(patient: VirtualPatient, channel: str, start: float, stop: float) -> tuple[np.ndarray, np.ndarray]:
    """Times [s] and signal [microvolts] of a channel between two times [s]."""
    first, last = (round(max(time, 0.0) * patient.sampling_rate) for time in (start, stop))
    signal = patient.signals[patient.channel_names.index(channel), first:last]
    return (first + np.arange(signal.size)) / patient.sampling_rate, signal


def shown_channels(patient: VirtualPatient, rows: list[ChannelSeizure], count: int) -> list[ChannelSeizure]:
    """The loudest channel of every electrode that the seizure reaches, then the loudest others, in order of onset."""

    def loudness(row: ChannelSeizure) -> float:
        return float(np.std(signal_of(patient, row.channel, row.onset, row.offset)[1]))

    ranked = sorted(rows, key=loudness, reverse=True)
    electrodes: set[str] = set()
    first, others = [], []
    for row in ranked:
        electrode = row.channel.rstrip("0123456789")
        (others if electrode in electrodes else first).append(row)
        electrodes.add(electrode)
    return sorted((first + others)[:count], key=lambda row: row.onset)


def dominant_frequency(signal: np.ndarray, rate: float, low: float, high: float) -> float:
    """Frequency [Hz] of the largest peak of the spectrum between two frequencies."""
    frequencies, power = periodogram(signal, rate, window="hann", nfft=8 * signal.size)
    inside = (frequencies >= low) & (frequencies <= high)
    return float(frequencies[inside][(frequencies * power)[inside].argmax()])


def spike_wave_rate(signal: np.ndarray, rate: float) -> float:
    """Rate [1/s] of spike-and-wave events: upward crossings of half the largest value, 0.2 s apart or more."""
    above = signal > 0.5 * np.percentile(signal, 99.5)
    times = np.flatnonzero(np.diff(above.astype(int)) == 1) / rate
    kept = [time for index, time in enumerate(times) if index == 0 or time - times[index - 1] > 0.2]
    return len(kept) / (signal.size / rate)


def draw_channels(axes: Axes, patient: VirtualPatient, rows: list[ChannelSeizure], span: tuple[float, float]) -> None:
    """Stacked signals with the seizure of every channel behind them."""
    step = 2800.0
    for level, row in enumerate(rows):
        times, signal = signal_of(patient, row.channel, *span)
        axes.fill_betweenx([-level - 0.48, -level + 0.48], row.onset, row.offset, color=LIGHT, linewidth=0)
        axes.plot(times, -level + np.clip(signal / step, -0.6, 0.6), linewidth=0.35, color="black", rasterized=True)
    axes.set_yticks([-level for level in range(len(rows))], [row.channel for row in rows])
    axes.set_xlim(*span)
    axes.set_ylim(-len(rows) + 0.3, 0.7)
    axes.plot([span[0] + 1.5] * 2, [-0.5, -0.5 + 1000 / step], color="tab:blue", linewidth=2)
    axes.text(span[0] + 2.2, -0.42, "1 mV", color="tab:blue", va="bottom", fontsize=8)
    axes.set_title("a  Channels, in the order of recruitment (shaded: the seizure of each channel)", loc="left")


def draw_spectrogram(axes: Axes, patient: VirtualPatient, row: ChannelSeizure, span: tuple[float, float]) -> None:
    """Power of the channel where the seizure starts."""
    times, signal = signal_of(patient, row.channel, span[0] - 1, span[1] + 1)
    rate = patient.sampling_rate
    frequencies, centres, power = spectrogram(signal, rate, nperseg=round(rate), noverlap=round(0.9 * rate))
    shown = (frequencies >= 1) & (frequencies <= 45)
    level = 10 * np.log10(power[shown] * frequencies[shown, None])
    axes.pcolormesh(
        times[0] + centres, frequencies[shown], level, cmap="magma", vmin=np.percentile(level, 25), rasterized=True
    )
    for time in (row.onset, row.offset):
        axes.axvline(time, color="white", linewidth=1, linestyle="--")
    axes.set_xlim(*span)
    axes.set_ylabel("frequency [Hz]")
    axes.set_xlabel("time [s]")
    axes.set_title(f"b  Power x frequency at {row.channel} (dashed: onset and offset)", loc="left")


def draw_excerpts(axes: list[Axes], patient: VirtualPatient, row: ChannelSeizure) -> None:
    """Five seconds of the first channel: onset, middle, end, after."""
    starts = {
        "c  Onset": row.onset - 1.0,
        "d  Middle": (row.onset + row.offset - EXCERPT) / 2,
        "e  Offset": row.offset - EXCERPT + 1.0,
        "f  5 s later": row.offset + 5.0,
    }
    for panel, (title, start) in zip(axes, starts.items(), strict=True):
        times, signal = signal_of(patient, row.channel, start, start + EXCERPT)
        panel.plot(times - start, signal, linewidth=0.6, color="black")
        panel.set_xlim(0, EXCERPT)
        panel.set_ylim(-1800, 1800)
        panel.set_title(f"{title}, {row.channel}", loc="left")
        panel.set_ylabel("uV")
        panel.tick_params(labelbottom=panel is axes[-1])


def measured(patient: VirtualPatient, seizure: Seizure, rows: list[ChannelSeizure]) -> list[tuple[str, str, str]]:
    """What is published, and what this seizure shows: phenomenon, published, measured."""
    first, rate = rows[0], patient.sampling_rate
    onset = signal_of(patient, first.channel, first.onset + 0.5, first.onset + 2.0)[1]
    early = signal_of(patient, first.channel, first.onset + 2, first.onset + 10)[1]
    late = signal_of(patient, first.channel, first.offset - 12, first.offset)[1]
    fast = [dominant_frequency(part, rate, 6, 30) for part in (early, late)]
    waves = [spike_wave_rate(part, rate) for part in (early, late)]
    before = np.median([np.std(signal_of(patient, r.channel, first.onset - 10, first.onset - 1)[1]) for r in rows])
    after = np.median([np.std(signal_of(patient, r.channel, r.offset + 2, r.offset + 8)[1]) for r in rows])
    delays = np.array([row.onset for row in rows]) - seizure.onset
    offsets = np.array([row.offset for row in rows])
    return [
        (
            "Fast onset",
            "beta to gamma in most\n(Lagarde 2019)",
            f"{dominant_frequency(onset, rate, 8, 60):.0f} Hz",
        ),
        (
            "Recruitment",
            "seconds to tens of\nseconds (Proix 2014)",
            f"{len(rows)} of {len(patient.channel_names)} channels,\nlast after {delays.max():.0f} s",
        ),
        (
            "Slowing",
            "discharges slow to the\noffset (Jirsa 2014)",
            f"fast {fast[0]:.0f} to {fast[1]:.0f} Hz, spikes\n{waves[0]:.1f} to {waves[1]:.1f} a second",
        ),
        (
            "Offset",
            "abrupt and together\n(Kramer 2012)",
            f"90 % of the channels\nwithin {np.subtract(*np.percentile(offsets, [95, 5])):.1f} s",
        ),
        (
            "Post-ictal\nsuppression",
            "below the background\n(Pottkämper 2020)",
            f"{100 * after / before:.0f} % of the RMS\nbefore the seizure",
        ),
    ]


def draw_table(axes: Axes, cells: list[tuple[str, str, str]]) -> None:
    """The published phenomenology beside the numbers of this seizure."""
    axes.axis("off")
    axes.set_title("g  Published, and measured on this seizure", loc="left")
    table = axes.table(
        cells,
        colLabels=["", "published", "here"],
        colWidths=[0.22, 0.4, 0.38],
        cellLoc="left",
        bbox=[0, 0, 1, 1],
    )
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("0.8")
        if row == 0:
            cell.set_text_props(weight="bold")


def draw_recruitment(axes: Axes, patient: VirtualPatient, rows: list[ChannelSeizure]) -> None:
    """Onset of every channel of the seizure against its distance from the first one."""
    origin = patient.positions[patient.channel_names.index(rows[0].channel)]
    apart = [np.linalg.norm(patient.positions[patient.channel_names.index(row.channel)] - origin) for row in rows]
    axes.scatter(apart, [row.onset - rows[0].onset for row in rows], s=14, color=SEIZURE_COLOUR)
    axes.set_xlabel(f"distance from {rows[0].channel} [mm]")
    axes.set_ylabel("onset after the first [s]")
    axes.set_title("h  Recruitment", loc="left")


def draw(patient: VirtualPatient, path: Path, dpi: int) -> None:
    """Draw the seizure of `patient` that reaches most channels to `path`."""
    index = max(range(len(patient.seizures)), key=lambda k: len(patient.seizures[k].channels))
    seizure = patient.seizures[index]
    rows = sorted((row for row in patient.channel_seizures if row.seizure == index), key=lambda row: row.onset)
    span = (max(seizure.onset - BEFORE, 0.0), min(seizure.offset + AFTER, patient.duration))

    plt.rcParams.update({"font.size": 8, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure = plt.figure(figsize=(14, 10))
    grid = GridSpec(12, 2, figure=figure, width_ratios=[1.6, 1], hspace=2.4, wspace=0.16)
    draw_channels(figure.add_subplot(grid[:8, 0]), patient, shown_channels(patient, rows, 12), span)
    draw_spectrogram(figure.add_subplot(grid[8:, 0]), patient, rows[0], span)
    excerpts = grid[:6, 1].subgridspec(4, 1, hspace=0.6)
    draw_excerpts([figure.add_subplot(excerpts[k]) for k in range(4)], patient, rows[0])
    draw_table(figure.add_subplot(grid[6:10, 1]), measured(patient, seizure, rows))
    draw_recruitment(figure.add_subplot(grid[10:, 1]), patient, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, bbox_inches="tight")


def main() -> None:
    """Simulate a patient and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("virtual_seizure.png"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--dpi", type=int, default=78)
    options = parser.parse_args()
    (patient,) = simulate_patients(1, options.seed, duration=240, num_channels=60, num_seizures=1)
    draw(patient, options.output, options.dpi)
    print(options.output)


if __name__ == "__main__":
    main()
