"""Texts in files that do not say how they are encoded: labels, units and remarks of clinical systems."""

import contextlib
import re
from collections.abc import Iterator

from .vocabulary import meaning_of, speaks_of_a_seizure

_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
# Pairs of bytes that are hiragana, katakana or Greek letters in Shift-JIS. In European encodings their first byte is
# a control character or a mark that hardly occurs.
_KANA = re.compile(rb"[\x82\x83][\x40-\x7e\x80-\xf1]")
# First bytes of Japanese characters that are no letters in a European encoding.
_JAPANESE = re.compile(rb"[\x81-\x9f]")
# Letters of Latin-1 and the signs that stand in remarks.
_EUROPEAN = re.compile(rb"[\x00-\x7f\xa0\xa1\xa7\xaa\xab\xb0-\xb5\xb7\xba\xbb\xbf-\xff]*")
_WORD = re.compile(r"[A-Za-z]{3,}")
# What else clinics write in: Korean, Chinese, Japanese; Cyrillic, Central European, Turkish, Greek, DOS, Macintosh.
_OF_TWO_BYTES = ("euc_kr", "big5", "euc_jp")
_OF_ONE_BYTE = ("cp1251", "koi8_r", "cp866", "cp1250", "cp1254", "cp1253", "cp850", "cp852", "mac_roman")
# Fewer letters than these mean something in one encoding or another.
_LONG_WORD = re.compile(r"[^\W\d_]{5}")
_MARKS = "\N{EN DASH}\N{EM DASH}\N{HORIZONTAL ELLIPSIS}\xab\xbb\N{NUMERO SIGN}"


def decode_text(stored: bytes) -> str:
    """Decode a text of unknown encoding; no text is refused.

    UTF-8 where it is that; otherwise Shift-JIS, GB 18030 or Windows-1252 (which contains Latin-1), by what the bytes
    can mean. Words in ASCII stay as they are, whatever stands around them.

    Parameters
    ----------
    stored : bytes
        The text as the file holds it.

    Returns
    -------
    str
        The text; characters may be wrong where it is in none of these encodings.
    """
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError:
        pass
    for encoding in ("cp932", "gb18030", "cp1252"):
        try:
            text = stored.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _is_likely(stored, text, encoding):
            return text
    return stored.decode("latin-1")


def decode_remark(stored: bytes) -> str:
    """Decode a remark of unknown encoding: like `decode_text`, unless it speaks of a seizure in another encoding."""
    text = decode_text(stored)
    if text.isascii() or meaning_of(text) is not None:
        return text
    others = list(_other_readings(stored, text))
    clear = (other for other in others if meaning_of(other) is not None)
    return next(clear, next((each for each in (text, *others) if speaks_of_a_seizure(each)), text))


def decode_fields(stored: bytes, between: bytes) -> str:
    """Decode a text of fields, each as `decode_remark`; `between` are the bytes in ASCII that stand between them."""
    fields = re.compile(rb"[^\r\n" + re.escape(between) + rb"]+")
    return fields.sub(lambda field: decode_remark(field[0]).encode(), stored).decode()


def _other_readings(stored: bytes, text: str) -> Iterator[str]:
    """Texts that a remark is in other encodings, where what is not ASCII is letters, dashes and the like then."""
    # UTF-8 that was read in one of these and written as UTF-8 again.
    for encoding in ("cp1252", "latin-1"):
        with contextlib.suppress(UnicodeError):
            yield text.encode(encoding).decode("utf-8")
    with contextlib.suppress(UnicodeError):
        stored.decode("utf-8")
        return
    for encoding in (*_OF_ONE_BYTE, *_OF_TWO_BYTES):
        with contextlib.suppress(UnicodeError):
            other = stored.decode(encoding)
            is_long = encoding in _OF_TWO_BYTES or _LONG_WORD.search(other)
            if is_long and all(letter.isascii() or letter.isalpha() or letter in _MARKS for letter in other):
                yield other


def _is_likely(stored: bytes, text: str, encoding: str) -> bool:
    if encoding == "cp932":
        return _KANA.search(stored) is not None or (
            _JAPANESE.search(stored) is not None and _keeps_ascii(stored, text)
        )
    if encoding == "gb18030":
        runs = [len(run) for run in _HIGH_BYTES.findall(stored)]
        # Two letters with accents beside each other (`größer`) look like one Chinese character.
        return all(run % 2 == 0 for run in runs) and (max(runs) >= 4 or not _EUROPEAN.fullmatch(stored))
    return True


def _keeps_ascii(stored: bytes, text: str) -> bool:
    """Whether no ASCII word became part of a Japanese character, in a text that has no more letters than those."""
    words = _WORD.findall(text)
    others = sum(character > "\x7f" for character in text)
    runs_are_even = all(len(run) % 2 == 0 for run in _HIGH_BYTES.findall(stored))
    letters = sum(map(len, words))
    return words == _WORD.findall(stored.decode("latin-1")) and (runs_are_even or letters < others)
