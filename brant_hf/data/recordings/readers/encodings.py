"""Texts in files that do not say how they are encoded: labels, units and remarks of clinical systems."""

import re

_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
# Pairs of bytes that are hiragana, katakana or Greek letters in Shift-JIS. In European encodings their first byte is
# a control character or a mark that hardly occurs.
_KANA = re.compile(rb"[\x82\x83][\x40-\x7e\x80-\xf1]")
# First bytes of Japanese characters that are no letters in a European encoding.
_JAPANESE = re.compile(rb"[\x81-\x9f]")
# Letters of Latin-1 and the signs that stand in remarks.
_EUROPEAN = re.compile(rb"[\x00-\x7f\xa0\xa1\xa7\xaa\xab\xb0-\xb5\xb7\xba\xbb\xbf-\xff]*")
_WORD = re.compile(r"[A-Za-z]{3,}")


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
