"""Headers that are texts in sections, as BrainVision and Persyst have them, and the files that they name."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ....events.encodings import decode_fields
from ....files import check_fetched
from ....user_warnings import warn

_SECTION = re.compile(r"\[([^\[\]=]+)\]")
_CODEPAGE = re.compile(rb"^codepage=([\w-]+)", re.IGNORECASE | re.MULTILINE)


def read_sections(path: Path) -> dict[str, list[str]]:
    """Lines of each section, by its name in lower case; empty lines and those that begin with `;` are left out.

    Encodings are mixed in some files (a recorder's text and a clinician's), so each line is decoded for itself.
    """
    check_fetched(path)
    content = path.read_bytes()
    stated = _CODEPAGE.search(content)
    codepage = stated[1].decode() if stated else ""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", "replace").encode()
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for stored in content.removeprefix(b"\xef\xbb\xbf").splitlines():
        line = _decoded(stored, codepage).strip("\0 \t")
        if section := _SECTION.fullmatch(line):
            lines = sections.setdefault(section[1].strip().lower(), [])
        elif line and not line.startswith(";"):
            lines.append(line)
    return sections


def pairs(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Split lines `key=value`; keys are in lower case, lines without `=` are passed over."""
    parts = (line.partition("=") for line in lines)
    return [(key.strip().lower(), value.strip()) for key, equals, value in parts if equals]


def file_named(header: Path, written: str) -> Path:
    """Find the file that a header names, which lies beside it.

    The folder that is written may be one of another machine, and the case of letters may differ. Where header and file
    were renamed together, the file with the name of the header is taken, with a warning.

    Raises
    ------
    FileNotFoundError
        There is no such file, or its content has not been fetched.
    """
    name = re.split(r"[/\\]", written)[-1].replace("$b", header.stem)
    here = {_folded(file.name): file for file in header.parent.iterdir()}
    renamed = f"{header.stem}{Path(name).suffix}"
    found = next((here[_folded(each)] for each in (name, renamed) if each and _folded(each) in here), None)
    if found is None or found == header:
        raise FileNotFoundError(
            f"{header} names the file {written!r}, which is not beside it; put it there, or correct its "
            "name in the header"
        )
    check_fetched(found)
    if _folded(found.name) != _folded(name):
        warn(f"{header.name}: it names {name!r}, which is not here; {found.name!r} is taken")
    return found


def _decoded(stored: bytes, codepage: str) -> str:
    for encoding in ("utf-8", codepage):
        try:
            return stored.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return decode_fields(stored, b"=,")


def _folded(name: str) -> str:
    # macOS keeps letters and their accents apart.
    return unicodedata.normalize("NFC", name).casefold()
