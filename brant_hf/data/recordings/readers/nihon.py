"""Nihon Kohden recordings (`.EEG` with `.21E`, `.PNT`, `.LOG`).

The format is not published. What is known of it comes from EDFbrowser (nk2edf), MNE-Python, Brainstorm and PDL::EEG.
Older systems (EEG-1100, EEG-2100, ...) list their blocks in one place; EEG-1200 lists them in another one, where more
than 255 inputs have room, and leaves a block of one channel and 1 s in the old place. MNE-Python is not used, since it
reads that one as the recording, joins blocks between which a recording was paused, and refuses more than one list of
blocks.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from ....events.encodings import decode_text
from ....files import check_fetched
from ....user_warnings import warn
from ..clock import ClockReader, Segment, gaps_of, length_of, segments_of
from ..source import Source, known_start, known_subject
from .frames import PacketReader
from .headers import pairs, read_sections
from .nihon_log import read_remarks

_SYSTEMS = re.compile(rb"(?:EEG-|QI-|DAE-)[\w ]+ V\d\d\.\d\d")
# Lists of blocks of older systems, and where EEG-1200 has them (0 in files of older systems).
_OLD_LIST, _NEW_LIST, _OLD_BLOCK = 0x91, 0x3EE, 0x17FE
_BEGINS = b"\x01TIME"
# Channel of each entry in the list of a block, with the bytes of an entry.
_ENTRY_BYTES = 10
# Systems have less than 1100 inputs.
_LAST_CODE = 2047
# Codes of inputs for direct current and marks, whose numbers are millivolts; those of all others are microvolts.
_IN_MILLIVOLTS = (*range(42, 74), 76, 77)
_MILLIVOLTS, _MICROVOLTS = (-12002.9, 12002.56), (-3200.0, 3199.902)
# Inputs that are none of the brain, whatever is connected: not assigned, markers, and bipolar ones for ECG and such.
_NO_ELECTRODE = re.compile(r"NA\d+|Z|Mark ?\d*|X\d+(/BP\d)?", re.IGNORECASE)
# Names of the inputs by their codes, where the file of names (.21E) has none.
_INPUTS = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T3", "T4", "T5", "T6", "FZ", "CZ", "PZ",
    "E", "PG1", "PG2", "A1", "A2", "T1", "T2",
    *(f"X{number}" for number in range(1, 12)),
    *(f"NA{number}" for number in range(1, 6)),
    *(f"DC{number:02}" for number in range(1, 33)),
    "BN1", "BN2", "Mark1", "Mark2",
    *(f"NA{number}" for number in range(6, 28)),
    *(f"X{number}/BP{number - 11}" for number in range(12, 16)),
    *(f"X{number}" for number in range(16, 166)),
    "NA28", "Z",
)  # fmt: skip
# Where the file of the patient has the number and the name [bytes].
_NUMBER, _NAME = slice(0x604, 0x60E), slice(0x62E, 0x642)
# Dates have whole seconds, so a block may begin up to this [s] later than it says.
_DATE_STEP_S = 1.0
# Blocks may be longer than they say by less than this [s].
_TENTH_S = 0.1


@dataclass(frozen=True)
class _Block:
    """Samples without a pause: where they begin in the file, how many of each input there are, and since when."""

    codes: tuple[int, ...]
    begins: int
    samples: int
    rate: int
    date: datetime | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all inputs, behind which there is one of marks."""
        return 2 * (len(self.codes) + 1)


def nihon_source(path: Path) -> Source:
    """Open a Nihon Kohden recording.

    Raises
    ------
    ValueError
        The file is of another system or truncated, its blocks have different channels, or the clock was set back
        between two of them.
    """
    if path.with_suffix(".vhdr").exists():
        raise ValueError(f"{path} holds the samples of a BrainVision recording; give {path.with_suffix('.vhdr').name}")
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        blocks = _blocks(content, path)
    codes, rate = blocks[0].codes, float(blocks[0].rate)
    if any((block.codes, block.rate) != (codes, blocks[0].rate) for block in blocks):
        raise ValueError(f"{path}: its blocks have different channels or rates; export each of them as EDF+")
    lengths = [block.samples for block in blocks]
    segments = _segments(blocks, path.stem)
    low, high = np.array([_MILLIVOLTS if code in _IN_MILLIVOLTS else _MICROVOLTS for code in codes]).T
    reader = PacketReader(
        path=path,
        width=len(codes) + 1,
        bounds=np.cumsum([0, *lengths]).tolist(),
        positions=[block.begins for block in blocks],
        frame=np.dtype([("samples", "<u2", (len(codes) + 1,))]),
        scale=(high - low) / 65535,
        zero=low,
    )
    names = _names(codes, path)
    return Source(
        name=path.stem,
        subject=_subject(path),
        num_samples=length_of(segments),
        channel_count=len(codes),
        sampling_rate=rate,
        channel_names=names,
        channel_types=["misc" if _NO_ELECTRODE.fullmatch(name) else "eeg" for name in names],
        read=reader if len(segments) == 1 else ClockReader(reader, segments),
        unit=["mV" if code in _IN_MILLIVOLTS else "uV" for code in codes],
        events=read_remarks(beside(path, ".LOG"), segments, rate, blocks[0].date, path.name),
        gaps=gaps_of(segments, rate),
        start_date=known_start(blocks[0].date),
        path=path,
    )


def beside(path: Path, suffix: str) -> Path | None:
    """Find the file of the same name with another suffix, in capitals or not."""
    found = next((each for each in path.parent.iterdir() if each.name.lower() == f"{path.stem}{suffix}".lower()), None)
    if found is not None:
        check_fetched(found)
    return found


def _blocks(content: mmap, path: Path) -> list[_Block]:
    is_known = all(_SYSTEMS.fullmatch(content[place : place + 16]) for place in (0, 0x81))
    if not is_known or len(content) <= _OLD_BLOCK:
        raise ValueError(f"its header is none of Nihon Kohden (it begins with {content[:16]!r})")
    is_new = content[:6] == b"EEG-12" and _integer(content, _NEW_LIST, 4) > 0
    blocks = _new_blocks(content, path) if is_new else list(_old_blocks(content))
    blocks = [block for block in blocks if block.samples > 0]
    if not blocks or min(block.rate for block in blocks) == 0 or not blocks[0].codes:
        raise ValueError(
            f"{path}: no block of its header has samples; copy it again from the system, or export it as EDF+"
        )
    needed = max(block.begins + block.frame_bytes * block.samples for block in blocks)
    if len(content) < needed:
        raise ValueError(
            f"{path} is truncated: its blocks need {needed} bytes, it has {len(content)}; copy it again from the "
            "system"
        )
    return blocks


def _old_blocks(content: mmap) -> Iterator[_Block]:
    for listed in _addresses(content, _OLD_LIST, 1, 4, 20):
        for address in _addresses(content, listed + 17, 1, 4, 20):
            codes = _codes(content, address + 0x27, _integer(content, address + 0x26, 1), 1)
            rate = _integer(content, address + 0x1A, 2) & 0x3FFF
            samples = _integer(content, address + 0x1C, 4) * rate // 10
            date = "".join(f"{byte:02x}" for byte in content[address + 0x14 : address + 0x1A])
            begins = address + 0x27 + _ENTRY_BYTES * len(codes)
            yield _Block(codes, begins, samples, rate, _date(f"20{date}"))


def _new_blocks(content: mmap, path: Path) -> list[_Block]:
    """Blocks of EEG-1200, which follow each other in the file; the last one ends where it does."""
    lists = _addresses(content, _integer(content, _NEW_LIST, 4) + 17, 1, 8, 24)
    listed = [address for of_blocks in lists for address in _addresses(content, of_blocks + 17, 3, 8, 24)]
    listed = [address for address in listed if content[address : address + 5] == _BEGINS] or listed[:1]
    rate = _integer(content, _integer(content, _integer(content, _OLD_LIST + 1, 4) + 18, 4) + 0x1A, 2) & 0x3FFF
    blocks, waiting = list[_Block](), sorted(set(listed))
    while waiting:
        address = waiting.pop(0)
        codes = _codes(content, address + 72, _integer(content, address + 68, 2), 2)
        if not codes or len(set(codes)) < len(codes) or max(codes) > _LAST_CODE:
            raise ValueError(f"{path}: its blocks have a form that is not known; export it as EDF+ from the system")
        begins = address + 72 + _ENTRY_BYTES * len(codes)
        block = _Block(codes, begins, 0, rate, _date(content[address + 20 : address + 34].decode("latin-1")))
        stated = _integer(content, address + 44, 8) * rate // 10
        end = begins + block.frame_bytes * stated
        # Where a recording goes on after a pause, which not every list has.
        if stated and content[end : end + 5] == _BEGINS and end not in waiting:
            waiting.insert(0, end)
        held = ((waiting[0] if waiting else len(content)) - begins) // block.frame_bytes
        if abs(held - stated) > _TENTH_S * rate > 0:
            warn(
                f"{path.name}: a block should have {stated / rate:.1f} s, and holds {held / rate:.1f} s, which are "
                "read; copy the file again if it was cut"
            )
        blocks.append(_Block(codes, begins, held, rate, block.date))
    return blocks


def _addresses(content: mmap, place: int, before: int, size: int, distance: int) -> list[int]:
    """Addresses in a list: their number, `before` bytes later the first one; those that are 0 or outside are none."""
    count, first = _integer(content, place, min(before, 2)), place + before
    found = [_integer(content, first + distance * number, size) for number in range(count)]
    return [address for address in found if 0 < address < len(content)]


def _codes(content: mmap, place: int, count: int, size: int) -> tuple[int, ...]:
    return tuple(_integer(content, place + _ENTRY_BYTES * number, size) for number in range(count))


def _integer(content: mmap, place: int, size: int) -> int:
    return int.from_bytes(content[place : place + size], "little")


def _date(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _segments(blocks: Sequence[_Block], name: str) -> list[Segment]:
    rate, first = blocks[0].rate, blocks[0].date
    starts, end = [0.0], blocks[0].samples / rate
    for block in blocks[1:]:
        stated = end if block.date is None or first is None else (block.date - first).total_seconds()
        starts.append(end if abs(stated - end) <= _DATE_STEP_S else stated)
        end = starts[-1] + block.samples / rate
    return segments_of(starts, [block.samples for block in blocks], rate, name)


def _names(codes: Sequence[int], path: Path) -> list[str]:
    """Names of inputs as the file of names has them: contacts, and references, which have a `$`."""
    file = beside(path, ".21E")
    if file is None:
        warn(f"{path.name}: the file {path.stem}.21E is not beside it, so its channels have the names of inputs")
    sections = {} if file is None else read_sections(file)
    given = {
        int(code): name
        for section in ("electrode", "reference")
        for code, name in pairs(sections.get(section, ()))
        if code.isdecimal() and name
    }
    return [given.get(code) or (_INPUTS[code] if code < len(_INPUTS) else f"EX{code}") for code in codes]


def _subject(path: Path) -> str | None:
    file = beside(path, ".PNT")
    content = b"" if file is None else file.read_bytes()
    fields = (decode_text(content[field].split(b"\0")[0]).strip() for field in (_NUMBER, _NAME))
    return next(filter(None, map(known_subject, fields)), None)
