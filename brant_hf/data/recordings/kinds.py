"""What the names of channels tell of what they record: brain, heart, breath, triggers; scalp or depth."""

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

from .contacts import bare_name, first_contact, names_in_file, split_contact_name

# What systems call channels that do not record a brain. Matched on the whole name without what systems put around it
# (see `bare_name`), on its first and last word (EDF+ labels are a type and a name: `ECG V2`, `Temp rectal`) and on the
# parts of a pair (`EKG1-EKG2`); so tightly that contacts such as `LOC3` (left occipital) or `PR3` stay. Sources:
# standard texts of EDF+ (edfplus.info), labels of ANT, BioSemi, Blackrock, Compumedics, Micromed, Natus, Neuralynx,
# Nihon Kohden, Persyst.
_NON_NEURAL_NAMES = {
    "ECG": r"[lrx]?e[ck]g.*|cardi(o|ac).*|h(eart)?[ _]?rate|av[rlf]|i{2,3}|heart.*|hr|pr|ibi|rr|bpm|puls.*|plet.*"
    r"|beat.*|mcg.*|ppg|dhr",
    "EMG": r"[lrx]?emg.*|[lr]?delt(oid)?s?[lr]?\d*|quad(riceps)?[lr]?"
    r"|del[sd][+-]?|chin.*|[lr]?[ _-]?(legs?|arms?|tib)[/ _-]?[lr]?[ _]?\d*|[lr][ul]e|[lr][ _]?shoulder|subm(ental)?"
    r"|mylo.*|tib.*|ant\.? tib.*|masseter.*"
    r"|[lr]?[ _]?(ext(ensor)?s?|flex(or)?s?|toe|the(nar)?|biceps?|triceps?|gastroc\w*)[lr]?\d*",
    # Of eyes: horizontal and vertical, above and below, canthi, and those of sleep against the mastoids.
    "EOG": r"[hvlrx]?eog.*|[hv]eo[lrud]?|[lr]oc|[lr][is]o|[lr][ul]c|e[12]-m[12]|eyes?",
    "eye": r"erg\d*|eye[ _-]?(x|y|l|r|left|right|pos\w*|track\w*|link\w*)|gaze.*|pupil.*",
    "respiration": r"resp.*|xair\d*|thor.*|abd(o.*|\d*)?|airflow.*|flow\d*|nasal.*|snor.*|etco2.*|co2.*|tidal.*"
    r"|tcp?co2|[bc]i?pap.*|effort.*|chest\d*|ptaf|breath.*|ptt|[cpx]flow|c?pres|npv|leak|therm(istor)?|tho"
    r"|rip[ _-]?(sum|flow)",
    "oxygen saturation": r"s[pa]o2.*|osat.*|oxim.*|sat|o2 ?sat.*|pbto2|rso2|ptio2",
    "pressure": r"press(ure)?s?|abp\d*|icp\d*|cvp\d*|nibp|pap|cpp|art\d*|i?bp\d*([ _]?(sys|dia|mean).*)?",
    "direct current input": r"\$?s?dc[ _-]?(in|input)?[ _-]?\d*",
    "trigger": r"d?trig.*|trg\d*|ttl.*|sti ?\d*|stim.*|status|events?\d*(/mar?kers?)?|mar?kers?\d*|mkr.*"
    r"|marks?\d*|mk|photic.*|pho|dig(ital)?( ?in)?[ _]?\d*|digital.*|din\d*|sync.*|strobe|button.*|push ?button"
    r"|photo|photo[ _-]?(diode|cell|sensor).*|pd|diode\d*|evt|cal",
    "annotations": r"(edf|bdf)[ _]?annot.*|annotations?|comments?",
    "movement or sound": r"mov[ _].*|accel.*|acc[ _-]?[xyz]|gyro?[ _-]?[xyz]|mag[ _-]?[xyz]|mic\d*|microphone.*"
    r"|audio.*|sound.*|(body)? ?pos(ition)?|activity|actigra.*"
    r"|[xyz][ _-]?acc.*|speaker.*|speech.*|voice.*|envelope|(data)?glove.*|joy(stick)?([ _-].*|[xy]|\d+)?|cursor.*"
    r"|mouse[ _-]?([xy]|pos.*|button.*|click.*)|(grip)?[ _-]?force.*|piezo.*|buzzer",
    "light": r"lights?|lux|illum.*",
    "skin": r"gsr.*|eda|skin.*",
    "magnetic field": r"meg[ _]?\d*",
    "evoked potential": r"ep",
    # Nihon Kohden has inputs `PAT`, `TECH` and `0V`.
    "reference or ground": r"ref\d*|reference.*|avg|gr?nd\d*|ground|vref-?|cms|drl|com|ref[ _-]?eeg.*|sys[ _-]?ref"
    r"|pat(ient)?|tech|\W*0v\W*|iso([ _-]?gr?nd)?",
    # Bipolar inputs of Micromed end in a plus.
    "external input": r"(exg|bip|ainp|adc)[ _-]?\d*|a/d|analog.*|.+\+",
    "label": r"labels?|target|seizure.*|state|stage.*|hypno.*",
    "trend": r"bursts?|suppr.*|bsr?|sqi|sef\d*|aeeg.*|trend.*|rate|ratio",
    "miscellaneous": r"misc.*|aux[ _-]?\d*|temp(erature)?|imp(edance)?s?|batt.*|bn[12]|counter|clock"
    r"|time([ _]?(stamps?|index|axis|ms|s|sec|seconds))?s?|samples?([ _]?(index|number|no|count))?|index|packet.*"
    r"|frames?([ _].*)?|video.*",
    "unused": r"blank.*|unused.*|unnamed.*|empty.*|spare.*|not used|n\.?c\.?|open\d*|xx+\d*|[^\w$]+\d*|\$.*"
    r"|n/c|ch(annel)?|nothing|e|x?none|off|pol|eeg|null|nan|dummy.*|",
}
_NON_NEURAL_PATTERNS = {reason: re.compile(pattern, re.IGNORECASE) for reason, pattern in _NON_NEURAL_NAMES.items()}
# These stand in front of a name or behind it (`Event marker`, `X1 DC1`).
_NOT_A_WORD_OF_ITS_OWN = {"unused", "evoked potential", "reference or ground"}
_TYPE_BEFORE_A_NAME = re.compile(r"(?:EP|MEG|DIG|POS|MK)[\s_:]+[^\W\d_].*", re.IGNORECASE)
# Contacts may be called `HR 1`, although `HR` alone is a heart rate.
_WORD_AND_NUMBER = re.compile(r"[^\W\d_]+'?[\s_-]*\d+")
# Inputs that are numbered through, and nobody's electrodes however many there are.
_NEVER_A_SHAFT = re.compile(
    r"x?e[ck]g|x?emg|[hvlrx]?eog|xair|s?dc|d?trig|trg|ttl|din|dig.*|events?|mar?kers?|marks?|mkr|photic|sync|stim|aux|misc|exg|bip|ainp|adc"
    r"|erg|ref|gnd|resp|chin|[lr]?leg|blank|unused|empty|open|spare|unnamed|xx+|x?none|null|nan|dummy|analog|(photo)?diode|\$.*|audio|accel|puls.*|plet.*|meg",
    re.IGNORECASE,
)
_SHAFT_CONTACTS = 3
# What systems call inputs until somebody names them, numbered through all of them (`C123` of Natus, `el097` of
# Micromed), and above which number no electrode begins. Contacts of other electrodes that have to stand beside them.
_INPUTS = {re.compile(r"[a-z]"): 64, re.compile(r"ch(an)?|el[ab]?"): 16}
_CONTACTS_BESIDE_INPUTS = 8

# Names of the 10-20 system. Those of the first set are never contacts of a depth electrode; `F3` may be either.
_CERTAINLY_SCALP = frozenset(["fp1", "fp2", "fpz", "fz", "cz", "pz", "oz", "fcz", "cpz", "poz", "afz", "iz", "nz"])
_MONTAGE_1020 = frozenset(["fp1", "fp2", "f7", "f3", "fz", "f4", "f8", "c3", "cz", "c4", "p3", "pz", "p4", "o1", "o2"])
_NUMBERS_1020 = {
    "fp": {1, 2},
    "f": {3, 4, 7, 8},
    "c": {3, 4},
    "p": {3, 4, 7, 8},
    "o": {1, 2},
    "t": {3, 4, 5, 6, 7, 8},
    "a": {1, 2},
    "m": {1, 2},
}
# Beside most of the 10-20 system: further temporal, sphenoidal and nasopharyngeal electrodes.
_NUMBERS_BESIDE = {
    "f": {9, 10},
    "t": {1, 2, 9, 10},
    "p": {9, 10},
    **{letters: {1, 2} for letters in ("sp", "sph", "pg", "cb", "e", "x")},
}
_NUMBERS_1010 = {
    **{letters: set(range(1, 11)) for letters in ("af", "f", "ft", "fc", "t", "tp", "cp", "p", "po")},
    "c": set(range(1, 7)),
    "o": {1, 2, 9, 10},
    "i": {1, 2},
}
# Names between those of the 10-10 system (10-5), without the rows that have an `h` behind the number.
_LETTERS_105 = ("afp", "aff", "fft", "ffc", "ftt", "fcc", "ttp", "tpp", "ccp", "cpp", "ppo", "poo", "oi")
_LETTERS_1010 = frozenset({"af", "ft", "fc", "tp", "cp", "po"})
_MOST_OF_1020 = 8
# Monitors of anaesthesia write the input first and its place behind it: `L1(Fp1)`.
_PLACE_BEHIND = re.compile(r"[^()]*\((?P<place>[^()]+)\)")
# A recording with so few contacts for each scalp channel is one of the scalp, with names that are not known.
_CONTACTS_PER_SCALP_CHANNEL = 0.25


def reason_in_name(name: str) -> str | None:
    """Why a channel is not neural, judged by its name; `None` if nothing speaks against it."""
    cleaned = bare_name(name)
    for reason, pattern in _NON_NEURAL_PATTERNS.items():
        if pattern.fullmatch(cleaned):
            return f"{reason} (by its name)"
    if _TYPE_BEFORE_A_NAME.fullmatch(cleaned):
        return f"{cleaned.split()[0].split('_')[0]} channel (by its name)"
    if _WORD_AND_NUMBER.fullmatch(cleaned):
        return None
    words = cleaned.split()
    for part in dict.fromkeys((words[0], words[-1].strip("()"), re.split(r"\s*-", cleaned)[0])):
        for reason, pattern in _NON_NEURAL_PATTERNS.items():
            if reason not in _NOT_A_WORD_OF_ITS_OWN and pattern.fullmatch(part):
                return f"{reason} (by its name)"
    return None


def on_shafts(names: Iterable[str], alike: Mapping[str, Hashable]) -> set[str]:
    """Names that are contacts of a shaft, whatever else such a name may mean: `CO2` between `CO1` and `CO3`.

    Parameters
    ----------
    names : Iterable[str]
        Channels.
    alike : Mapping[str, Hashable]
        What neighbours have in common, such as their sampling rate.

    Returns
    -------
    set[str]
        Names with a number in a row of at least three, or letters in such a row (`C`, `D`, `E`); never inputs such as
        `DC1`, `DC2`, `DC3`.
    """
    shafts: dict[Hashable, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, in_file in names_in_file(names).items():
        bare = bare_name(in_file)
        contact = ("", ord(bare.upper())) if len(bare) == 1 and bare.isalpha() else first_contact(in_file)
        if contact is not None and not _NEVER_A_SHAFT.fullmatch(contact[0]):
            shafts[contact[0].casefold(), alike[name]][contact[1]].append(name)
    return {
        name
        for contacts in shafts.values()
        for run in _runs(contacts)
        if len(run) >= _SHAFT_CONTACTS
        for number in run
        for name in contacts[number]
    }


def spare_inputs(names: Iterable[str]) -> set[str]:
    """Find inputs that nobody named: of `C121`, ..., `C256` beside other electrodes, none has a lower number."""
    shafts: dict[str, dict[str, int]] = defaultdict(dict)
    for name, in_file in names_in_file(names).items():
        contact = split_contact_name(in_file)
        if contact is not None and not _NEVER_A_SHAFT.fullmatch(contact[0]):
            shafts[contact[0].casefold()][name] = contact[1]
    spare = {}
    for letters, contacts in shafts.items():
        lowest = min(set(contacts.values()) - _NUMBERS_1020.get(letters, set()), default=0)
        if any(form.fullmatch(letters) and lowest > least for form, least in _INPUTS.items()):
            spare[letters] = {name for name, number in contacts.items() if number >= lowest}
    beside = sum(len(contacts) for letters, contacts in shafts.items() if letters not in spare)
    return set().union(*spare.values()) if beside >= _CONTACTS_BESIDE_INPUTS else set()


def no_contacts(names: Iterable[str]) -> list[str]:
    """Find names that have no number where nearly all others are contacts of shafts: an input that is not known."""
    names = list(names)
    without = [name for name in names if not re.search(r"\d", name) and len(bare_name(name)) > 1]
    contacts = _contacts(name for name in names if name not in without)
    return without if contacts >= max(_CONTACTS_BESIDE_INPUTS, 4 * len(without)) else []


def scalp_names(names: Sequence[str]) -> tuple[set[str], bool]:
    """Find names of the 10-20 and 10-10 systems, where the file has some that cannot be contacts of an electrode.

    Parameters
    ----------
    names : Sequence[str]
        Channels that may record a brain.

    Returns
    -------
    tuple[set[str], bool]
        The names of scalp channels, and whether the whole recording is one of the scalp.
    """
    parts = {name: _parts(in_file) for name, in_file in names_in_file(names).items()}
    everything = {part for both in parts.values() for part in both}
    across = {name for name, both in parts.items() if _is_across(both)}
    numbers: dict[str, set[int]] = defaultdict(set)
    for part in everything:
        if contact := split_contact_name(part):
            numbers[contact[0]].add(contact[1])
    # Beside `FP3`, which is no place of the scalp, `FP1` is a contact of a shaft or of a strip.
    is_shaft = not numbers["fp"] <= _NUMBERS_1020["fp"]
    places = _CERTAINLY_SCALP - {"fp1", "fp2"} if is_shaft else _CERTAINLY_SCALP
    certain = {name for name, both in parts.items() if places & set(both)}
    if not certain | across:
        return set(), False
    allowed = _allowed_numbers(everything, numbers)
    letters = {letters for letters, seen in numbers.items() if seen <= allowed.get(letters, set())}

    def is_scalp(part: str) -> bool:
        contact = split_contact_name(part)
        return part in places or (contact is not None and contact[0] in letters)

    scalp = {name for name, both in parts.items() if all(is_scalp(part) for part in both)}
    return scalp, _contacts(set(names) - scalp) < _CONTACTS_PER_SCALP_CHANNEL * len(scalp)


def _parts(name: str) -> list[str]:
    bare = bare_name(name).casefold()
    behind = _PLACE_BEHIND.fullmatch(bare)
    return [part.strip() for part in (behind["place"] if behind else bare).split("-")]


def _is_across(both: Sequence[str]) -> bool:
    """Whether a pair lies between places of the scalp with different letters: `C3-A2`, `F7-T7`."""
    contacts = [contact for part in both if (contact := split_contact_name(part))]
    places = (_NUMBERS_1020, _NUMBERS_1010)
    known = {letters for letters, number in contacts if any(number in system.get(letters, ()) for system in places)}
    return len(both) == 2 and len(known) == 2


def _allowed_numbers(everything: Collection[str], numbers: Mapping[str, set[int]]) -> dict[str, set[int]]:
    """Numbers that a place of the scalp may have, by its letters: more of them, the more of a system is there."""
    allowed = {letters: set(seen) for letters, seen in _NUMBERS_1020.items()}
    allowed.update({letters: {1, 2} for letters in _LETTERS_105})
    further = []
    if len(_MONTAGE_1020.intersection(everything)) >= _MOST_OF_1020:
        further.append(_NUMBERS_BESIDE)
    if len(_LETTERS_1010 & numbers.keys()) >= 2 and len(_CERTAINLY_SCALP.intersection(everything)) >= 3:
        # A shaft of more than two contacts has numbers that a cap has not.
        further += [_NUMBERS_1010, {letters: {5, 6, 9, 10} for letters in _LETTERS_105}]
    for system in further:
        for letters, more in system.items():
            allowed[letters] = allowed.get(letters, set()) | more
    return allowed


def _contacts(names: Iterable[str]) -> int:
    """Count contacts that have a neighbour."""
    shafts: dict[str, dict[int, str]] = defaultdict(dict)
    for name, in_file in names_in_file(names).items():
        contact = first_contact(in_file)
        if contact is not None:
            shafts[contact[0].casefold()][contact[1]] = name
    return sum(len(run) for contacts in shafts.values() for run in _runs(contacts) if len(run) > 1)


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
