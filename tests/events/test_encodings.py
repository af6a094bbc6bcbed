"""Texts in encodings that nobody states."""

import pytest

from brant_hf.events.encodings import decode_fields, decode_remark, decode_text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Pat. öffnet Augen, Größe", "latin-1"),
        ("crise d'épilepsie à gauche", "cp1252"),
        ("patient\N{RIGHT SINGLE QUOTATION MARK}s seizure", "cp1252"),
        ("seizure \N{EN DASH} größer", "cp1252"),
        ("10 µV", "latin-1"),
        ("\N{GREEK SMALL LETTER MU}V", "cp932"),
        ("\N{GREEK SMALL LETTER MU}V", "gb18030"),
        ("癫痫发作 seizure", "gb18030"),
        ("发作", "utf-8"),
        ("てんかん発作", "cp932"),
        ("アテンション", "cp932"),
        ("脳波", "cp932"),
    ],
)
def test_texts_in_the_encodings_of_clinics(text, encoding):
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "other", [bytes([first, second]) for first in range(0x80, 0x100, 7) for second in (0x41, 0xE9)]
)
def test_words_in_ascii_survive_whatever_stands_beside_them(other):
    assert "Seizure onset" in decode_text(b"Seizure onset " + other + b" A1")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("начало приступа", "cp1251"),
        ("конец приступа", "koi8_r"),
        ("приступ \N{EN DASH} начало", "cp1251"),
        ("발작 시작", "euc_kr"),
        ("癲癇發作", "big5"),
        ("początek napadu", "cp1250"),
        ("nöbet ba\N{LATIN SMALL LETTER S WITH CEDILLA}langici", "cp1254"),
        ("début crise", "cp850"),
        ("début de crise à droite", "mac_roman"),
        ("début crise", "cp1252"),
    ],
)
def test_a_remark_about_a_seizure_tells_its_encoding(text, encoding):
    assert decode_remark(text.encode(encoding)) == text
    # Written as UTF-8 a second time.
    assert decode_remark(text.encode("utf-8").decode("latin-1").encode("utf-8")) == text


@pytest.mark.parametrize(
    "text", ["réveil à 10h", "kein Anfall, später müde", "früher", "größer Anfall", "jçz", "tö", "ÚÊÓ"]
)
def test_other_remarks_are_decoded_as_any_text(text):
    assert decode_remark(text.encode("cp1252")) == text == decode_remark(text.encode())


def test_fields_of_several_encodings_are_decoded_one_by_one():
    fields = (b"Mk2=Comment", "Größe, öffnet".encode("cp1252"), "发作开始".encode("gb18030"), b"1001")
    assert decode_fields(b",".join(fields), b"=,") == "Mk2=Comment,Größe, öffnet,发作开始,1001"
