"""What names tell: labels of EDF+ and of the systems in use, shafts whose names mean something else, the scalp."""

import pytest

from brant_hf.data.recordings.kinds import no_contacts, on_shafts, reason_in_name, scalp_names, spare_inputs

NOT_OF_A_BRAIN = {
    "EDF+ and PSG": "ECG V2|EKG EKG|ECG chest|EOG left|EMG Ant Tib|ERG|MCG|MEG 001|EP Median|Temp rectal"
    "|Resp oro-nasal|SaO2 finger|Light room|Sound|Event marker|Body Position|Chin EMG|Left Leg"
    "|LOC-A2|ROC-LOC|PTT|Snore|CPAP|E1-M2|CFlow|CPRES|Therm|RIPSum|tcpCO2|L-TIB",
    "intensive care": "ABP|ABP1|ICP|CVP|PbtO2|ART|IBI|BURSTS|SUPPR|aVR|III|HR|PR|Pleth|PULSE RATE|Heart Rate|EtCO2",
    "ANT": "BIP1|BIP24",
    "Blackrock": "ainp1|ainp16",
    "BioSemi": "EXG1|GSR2|Erg1|Resp|Plet|Temp|Status",
    "Natus": "DC4|OSAT|TRIG|POL DC09|EEG EKG1-REF|PHOTIC-REF|RESP ABDOMEN-RE|DC4-DC|Patient Event"
    "|EEG LUC-REF|EEG RLC-REF|LIO|RSO|L ARM|LLE",
    "Nihon Kohden": "POL Mark1|BN1|CO2Wave|POL E|POL|$A1|REF_EEG REF_EEG|POL LFLEX1|POL RTOE2|POL LTHE1|POL $A'11"
    "|COM|Events/Markers|POL PAT-Ref|POL TECH-Ref|POL 0V|+/-0V",
    "Micromed": "MKR+|ECG1+|EMG1+-|DELS-|SDC1|orb+|AH+|xyz+|pB25+|.....|.....-1|xxx01|xx10",
    "Neuralynx": "xEKG1|xAIR1|xEMG|xEOG2",
    "experiments": "photodiode|PhotoDiode1|Photo|LEKG|REMG|LDELT|eye_x|GazeX|Pupil|DataGlove3|joystick_x|JoyX|cursor_y"
    "|MouseX|grip_force|speech|Analog_1|x_acc|Reference|GRND",
    "tables": "time|Timestamp|sample_index|Index|packet|label|Seizure|SeizureLabel|sleep stage|hypnogram|NaN|dummy1",
    "others": "X1 DC1|DIG DTRIG|MK|EKG1-EKG2|EKG-0|TTL1|DIN1|STI 014|acc_z|Battery|Annotations|EMG1-EMG2|COUNTER"
    "|1 Impedance|LA2 (Imp)|unnamed|unnamed-1",
}
OF_A_BRAIN = (
    "A'1|COM1|LAH2|EEG LA1-Ref|LOC3|ACC2|TEMP5|HR2|HR 2|PR-3|SAT3|MICRO1|MK3|EP1|TRI1|POS1|OFF3|LAMY1-LAMY2|PULV2|BA1"
    "|PAT1|TECH2|RIP|RIP1|LSO1|RUC4|ISO1|THO1|E1-E2"
    "|R SUP TEMP 3|LEFT FRONTAL 2|EEG Fpz-Cz|T8-P8|E1|X1|1|OorLiTop|NVC1202_26_002_Ecog_c001|Ref Grid 1|ECOG-0"
    "|SPE1|AIN2|FRA1|IND4|LAB1|TAR2|STA3|GLO1|MOU1|TIM1|EYE1|ANA1|R HAND 2|Mouse1|Mouse 2 EEG|m3_mouse"
)


@pytest.mark.parametrize("system", NOT_OF_A_BRAIN)
def test_names_of_what_is_no_brain(system):
    assert [name for name in NOT_OF_A_BRAIN[system].split("|") if reason_in_name(name) is None] == []


def test_names_of_contacts_and_of_places_on_the_scalp():
    assert {name: reason for name in OF_A_BRAIN.split("|") if (reason := reason_in_name(name))} == {}


@pytest.mark.parametrize("shaft", ["CO", "GSR", "SPO", "SAO", "STI", "MIC", "ICP", "ABD", "EEG CO", "co", "ART"])
@pytest.mark.parametrize("pattern", ["{0}{1}", "{0}{1:02d}", "{0}{1}-{0}{2}"])
def test_neighbours_tell_that_a_name_is_a_contact(shaft, pattern):
    names = [pattern.format(shaft, number, number + 1) for number in (1, 2, 3, 4)]
    assert on_shafts(names, dict.fromkeys(names)) == set(names)
    # Neighbours that have another rate, or are too few, tell nothing.
    assert on_shafts(names, dict(zip(names, (1, 1, 200, 200), strict=True))) == set()


def test_letters_in_a_row_are_contacts():
    assert on_shafts("ABCDE", dict.fromkeys("ABCDE")) == set("ABCDE")
    assert on_shafts(["X1", "E"], dict.fromkeys(["X1", "E"])) == set()


@pytest.mark.parametrize(
    "name",
    [
        "DC",
        "POL DC0",
        "EKG",
        "EMG",
        "EOG",
        "TRIG",
        "TTL",
        "DIN",
        "EXG",
        "BIP",
        "Resp",
        "Event ",
        "unnamed-",
        "NaN-",
        "xx",
        "PulseDC",
        "Analog",
    ],
)
def test_inputs_are_no_shafts_however_many_there_are(name):
    names = [f"{name}{number}" for number in range(1, 10)]
    assert on_shafts(names, dict.fromkeys(names)) == set()


def test_names_without_a_number_beside_contacts_are_told():
    contacts = [f"{shaft}{number}" for shaft in ("LA", "RH") for number in range(1, 7)]
    assert no_contacts([*contacts, "SPR", "OPTO", "A"]) == ["SPR", "OPTO"]
    # Beside few contacts, and where names have no numbers as a rule, they may be what the centre calls its contacts.
    assert no_contacts(["LA1", "LA2", "HIPP", "AMYG"]) == []
    assert no_contacts([*contacts, "LEFT", "RIGHT", "HIPP", "AMYG"]) == []


def test_inputs_that_nobody_named_are_told_by_their_numbers():
    # As in OpenNeuro ds004703 (Natus), ds004080 (Micromed); grids of ds003688 begin anywhere, and may have holes.
    depth = [*shaft("LA", 8), *shaft("LB", 8)]
    natus, micromed = [f"C{number}" for number in range(121, 257)], [f"el{number:03d}" for number in range(97, 129)]
    assert spare_inputs([*depth, *natus, "C3", "C4"]) == set(natus)
    assert spare_inputs([*depth, *micromed]) == set(micromed)
    grids = [*(f"F{number}" for number in range(49, 65)), *(f"LGB{number}" for number in range(65, 129))]
    assert spare_inputs([*depth, *grids, *(name for name in shaft("G", 128) if name != "G70")]) == set()
    # Nothing else is there.
    assert spare_inputs([*natus, "EKG1", "EKG2"]) == set()


MONTAGE_TEXT = "Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 Pz P4 T6 O1 O2"
CAP_TEXT = "F1 F2 F5 F6 AF3 AF4 AF7 FC1 FC2 FC3 FC5 C1 C2 C5 C6 CP1 CP2 P1 P2 P5 P6 PO3 PO4 TP7 FT9 T7 T8"
BANANA_TEXT = "FP1-F7 F7-T7 T7-P7 P7-O1 FP1-F3 F3-C3 C3-P3 P3-O1 FZ-CZ CZ-PZ T7-FT9 T8-P8-0 T8-P8-1"
MONTAGE, CAP, BANANA = MONTAGE_TEXT.split(), CAP_TEXT.split(), BANANA_TEXT.split()


def shaft(name, count):
    return [f"{name}{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize(
    "names",
    [
        MONTAGE,
        [f"EEG {name.upper()}-REF" for name in [*MONTAGE, "T1", "T2", "A1", "A2"]],
        [*MONTAGE, "OorLiTop", "Sph1", "Sph2"],
        [*MONTAGE, "X1", "X2", "E1", "E2"],
        [*MONTAGE, *CAP],
        BANANA,
        ["EEG Fpz-Cz", "EEG Pz-Oz"],
        ["C3-A2", "C4-A1", "O1-A2"],
        ["Fp1", "Fz", "Cz"],
        # Of the anaesthesia monitor SedLine.
        ["EEG L1(Fp1)", "EEG R1(Fp2)", "EEG L2(F7)", "EEG R2(F8)"],
        ["Oz", "O1", "O2", "POz", "POO1", "POO2"],
        [*MONTAGE, *CAP, "AFp1", "AFp2", "PPO5", "PPO6", "POO9", "POO10", "CCP1h", "CCP2h"],
    ],
)
def test_a_recording_of_the_scalp(names):
    assert scalp_names(names)[1]


@pytest.mark.parametrize(
    ("depth", "scalp"),
    [
        (["LA1", "LA2", *shaft("P", 5)], ["Fp1", "Fz", "Cz", "C3", "C4", "O1", "O2"]),
        ([*shaft("LA", 10), *shaft("LB", 10), *shaft("C", 12)], ["Fz", "Cz", "Pz"]),
        ([*shaft("LA", 6)], MONTAGE),
        ([f"EEG {name}-Ref" for name in shaft("TB'", 8)], ["EEG Fz-Ref", "EEG F3-Ref", "EEG F4-Ref"]),
        (shaft("P", 4), ["Fz"]),
        (shaft("CCP", 8), ["Fz", "Cz", "Pz"]),
        (["LA1-LA2", "LA2-LA3", "LA3-LA4"], ["Fp1-F7", "F7-T3"]),
        ([f"A'{number}-G2" for number in range(1, 9)], ["Fz-G2", "Cz-G2", "C3-G2"]),
        # Of OpenNeuro ds005398: `Fp1` is a contact beside `FP3`.
        (["EEG Fp1-Ref", *(f"POL FP{number}" for number in range(3, 17))], ["EEG Fz-Ref", "EEG Cz-Ref"]),
    ],
)
def test_scalp_channels_of_an_intracranial_recording(depth, scalp):
    assert scalp_names([*scalp, *depth]) == (set(scalp), False)


@pytest.mark.parametrize(
    "names",
    [
        ["C3", "C4", "O1", "LA1"],
        ["L1(F7)", "L2(F8)"],
        ["A1 (Hipp)", "A2 (Hipp)"],
        shaft("FP", 8),
        [*shaft("F", 8), *shaft("C", 8)],
        ["A1-A2", "C1-C2"],
    ],
)
def test_names_that_may_be_contacts_are_no_scalp(names):
    assert scalp_names(names) == (set(), False)
