import pytest

from brant_hf.events.vocabulary import EventRow, meaning_of, meaning_of_event, speaks_of_a_seizure

# Events of OpenNeuro ds003029; SzCORE, HED-SCORE and TUSZ codes; abbreviations of the ILAE; remarks as clinicians
# write them; record and marker types of MEF3 and BrainVision; other languages.
VOCABULARY = {
    "seizure": (
        "SZ EVENT # (PB SZ)|SZ EVENT #(PB SZ)|SZ EVENT # (EEG SZ)|Seizure|sz|sz_foc_ia|sz_gen_nm|ictal|EEG sz"
        "|SZ 3|sz#4"
        "|Eyelid-myoclonia-seizure"
        "|Epileptic-seizure|Focal-onset-epileptic-seizure|focal to bilateral tonic-clonic seizure"
        "|Impaired-awareness-focal-onset-epileptic-seizure|Unknown-epileptic-onset-epileptic-seizure"
        "|Electrographic-seizure|Event/Epileptic-seizure|sc:Focal-onset-epileptic-seizure|(Sensory-event, Seizure)"
        "|Electrographic seizure, no clinical correlate|Focal seizure without impaired awareness"
        "|seizure with no loss of awareness|seizure after sleep|EEG sz #2 (next to LA3)|left temporal seizure|Sz no. 3"
        "|Seiz|FIAS|FAS|FBTC|FBTCS|GTCS|GTC|SPS|CPS|sGTC|tonic-clonic|grand mal|status epilepticus|convulsion|siezure"
        "|fnsz|gnsz|spsz|cpsz|absz|tnsz|cnsz|tcsz|atsz|mysz|seiz|GeneralizedTonicClonicSeizure|*** SEIZURE ***"
        "|subclin sz|seizure 3 s|seizure x 30 s|Sz (45 sec)|Seizure lasting 2 min|status epileptikus|stato epilettico"
        "|Seiz: left|Seiz: |EDFA: Seizure|Comment/Seizure|Comment,Seizure|Stimulus/sz"
        "|sz_uo_nm|sub-clinical seizure|crise infra-clinique|crisis subclínica|décharge critique|EEG-aanval"
        "|klinisk anfall"
        "|Anfall|Krampfanfall|epileptischer Anfall|crise épileptique|crise d'épilepsie|crisis epiléptica"
        "|crisi epilettica"
        "|epileptische aanval|癫痫发作|てんかん発作|발작|эпилептический приступ|БТКП"
        "|napad padaczkowy|epileptický záchvat"
    ),
    "onset": (
        "onset|Onset|sz onset|eeg sz start|Marker: sz on|EEG onset|Z ELECTROGRAPHIC ONS|Z ELELCTROGRAPHIC ON|UEO"
        "|clinical onset|AD1-3 onset|onset TT3|SEIZURE #17 ONSET|sz #12 onset|Seizure onset - no clinical signs"
        "|Sz onset before button press|Seizure onset L>R, post-ictal slowing to follow|seiz onset|GTCS onset"
        "|Note: seizure onset|seizure onset\nleft|Seizure\r\nonset|Seizure\tonset|seizure_onset|SeizureOnset|SzON"
        "|EEG Onset - RMT 1-3|SZ onset - RA 1-4, RH 1-3|sz onset RTG 12-15, 20|onset: LA 1-4|clincial osnet"
        "|nöbet başlang\u0131c\u0131|klinický začátek"
        "|sz on set|seizure_begin|szonset|onset TT1, PST1, MST|onset AD1, then PD|onset with attenuation"
        "|Anf. Beginn|Beginn Anf."
        "|sz2onset|(Seizure, Onset)|Seizure started|Anfallsbeginn|Anfall Beginn|début de crise|début crise2"
        "|inicio de crisis|início da crise|inizio crisi|发作开始|発作開始|발작 시작|начало приступа|początek napadu"
    ),
    "offset": (
        "offset|sz offset|sz end|eeg sz end|Marker: sz off|definite off|Z ELECTROGRAPHIC END|Z SEIZURE OVER"
        "|seizure off set|Seizure resolved|offset with attenuat|offset with attenuta"
        "|Z DEVOLUTION|Z OVER|Z STOPPING|SeizureOffset|seizure_end|(Seizure, Offset)|seizure has stopped|Anfallsende"
        "|Anf.-Ende"
        "|fin de crise|fin de crisis|fine crisi|einde aanval|发作结束|発作終了|발작 종료|конец приступа|koniec napadu"
    ),
    "uncertain": (
        "Seizure?|sz ?|?seizure|seizure onset?|?onset|?onset ?TT1 then PST"
        "|LIKELY CLINICAL ONSE|possible seizure|probable sz|questionable seizure|r/o seizure"
        "|Seizure vs artifact|seizure? PNES?|PNES vs seizure|no seizure?|not sure about seizure|seizure-like activity"
        "|suspected seizure, patient asleep|Z 2 MINUTE SEIZURE|Z 2.5MIN SZ|ictal-interictal continuum"
        "|brief ictal rhythmic discharge|1st change?|aura?"
        "|sz\uff1f|Comment/Seizure?|Seiz: possible|Anfall?|fraglicher Anfall|crise ?|posible crisis|可能发作"
    ),
}


@pytest.mark.parametrize(
    ("text", "meaning"), [(text, meaning) for meaning, texts in VOCABULARY.items() for text in texts.split("|")]
)
def test_what_a_remark_means(text, meaning):
    assert meaning_of(text) == meaning


NO_SEIZURE = (
    "bckg|n/a||start|end|stimulus onset|tone offset|recording start"
    "|sleep onset|ripple_A1-2|interictal|inter-ictal|post-ictal"
    "|postictal onset|preictal|Post-ictal slowing|non-ictal|Interictal-finding|epileptiform discharge|no seizure"
    "|not a seizure|No clinical seizures|no seizure activity seen|seizure-free|non-epileptic"
    "|non-epileptic seizure|PNES"
    "|Seizure-PNES|seizure (PNES)|PNES seizure|seizure, psychogenic|seizure - nonepileptic"
    "|seizure=0|sz: 0|Seizures - 0"
    "|pseudoseizure|SOZ|seizure onset zone|epilepsy|3 cps spike wave|500 sps|button press|eyes open|size|szem"
    "|@SeizuresProcessed(P14) v=2026.05.07 alg=5 p=0.10 d=2"
    "|Absence-of-posterior-dominant-rhythm|absence de crise|no aura|denies auras"
    "|event start|muscle spasm|EEG only|subclavian line|next day 2"
    "|on set|off set|lights on|開始|Beginn|fin|kein Anfall|anfallsfrei|pas de crise|发作间期"
)


@pytest.mark.parametrize("text", NO_SEIZURE.split("|"))
def test_what_is_surely_no_seizure_is_passed_over(text):
    assert meaning_of(text) is None
    assert not speaks_of_a_seizure(text)


NOT_CLEAR = (
    "patient feels a seizure coming|before seizure|after seizure|last seizure|sz, last one was yesterday|Seizure: none"
    "|seizure, no|Seiz: no|Seizure frequency 3/month|Seizure 12/10/2019|seizure at 10:05"
    "|seizure 20 s ago|30 s before seizure|seizure not captured"
    "|Seizure, no EEG correlate|no obvious hemispheric seizure|no longer seizing|seizure detected|sz meds held|nesz"
    "|onset of stimulation|offset in DC|* r onset|left temporal offset|onset TT1 tap"
    "|seizure button|patient pushed button|Pt Button Pressed|seizure def|seizure label|electrical onset"
    "|focal aware|Focal impaired awareness|subclinical"
    "|UEO and EEC|earliest EEG change|1ST CHANGE - INC SPI|EEG change onset|electroclinical onset|sz onset age 12"
    "|1st clin|L MT onset|ELECTRO ONSET|E-onset|EU onset|behav onset|behavioral end|seisure|SZO|sz_b|spasms"
    "|clin|sub clinical event|typical spell|Typical event, no EEG correlate|electrographic discharge|aura|aura onset"
    "|SCSz|CGTC|CTCG|Absencen|ausencia|Patient Event|Pushbutton|Alarme patient|Début EEG|EEG-Ende|fine EEG|2 seizures"
    "|Sz x2|sz x 3|Number of seizures: 3|numSeiz"
    "|Absence x 5 s|3 Hz absence|SE onset|Sz spread|crise1|NCS|CCS|Long_Episode|Magnet"
    "|@SeizureDetected(P14) p=0.949|Seizures processed"
    "|Seizure onset/offset|tonic-clonic movements|absence|convulsing|Postictal. Seizure at 10|panic attack"
    "|Panikanfall|Anfallsanamnese|crise|crisis|crisi|aanval|insult|приступ|напад|napad|záchvat|nöbet|kohtaus|roham"
    "|gr. Anf.|发作|發作|発作|癫痫|癲癇|てんかん|ชัก|दौरा|نوبة|התקף"
)


@pytest.mark.parametrize("text", NOT_CLEAR.split("|"))
def test_what_speaks_of_a_seizure_in_unknown_words_has_no_meaning_and_is_told(text):
    assert meaning_of(text) is None
    assert speaks_of_a_seizure(text)


def test_own_words_go_before_the_known_ones():
    own = {"krampf*": "seizure", "Start": "onset", "sz": "ignore", "Seizure?": "seizure", "run*": "uncertain"}
    assert meaning_of("Krampf links", own) == "seizure"
    assert meaning_of(" start ", own) == "onset"
    assert meaning_of("sz", own) == "ignore"
    assert meaning_of("sz onset", own) == "onset"
    assert meaning_of("Seizure?", own) == "seizure"
    assert meaning_of("run of waves", own) == "uncertain"


@pytest.mark.parametrize("written", ["Note: run A", "run A", "EDFA: run A", "Comment/run A"])
@pytest.mark.parametrize("asked", ["run A", "Note: run A", "note: run*"])
def test_own_words_with_or_without_the_type_of_the_record(written, asked):
    assert meaning_of(written, {asked: "seizure"}) == "seizure"


@pytest.mark.parametrize(
    ("text", "further", "meaning"),
    [
        ("clinical", ("seizure",), "seizure"),
        ("seizure", ("onset",), "onset"),
        ("seizure", ("offset",), "offset"),
        ("seizure", ("(Seizure, Offset)",), "offset"),
        ("video", ("Epileptic-seizure",), "seizure"),
        ("seizure", ("left arm jerking since the morning",), "seizure"),
        ("seizure", ("?",), "uncertain"),
        ("button", ("1",), None),
    ],
)
def test_the_columns_of_a_row_tell_it_together(text, further, meaning):
    assert meaning_of_event(EventRow(0.0, 0.0, text, None, further)) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Crise électrique", "seizure"), ("crise électro-clinique", "seizure"), ("crisi elettroclinica", "seizure"),
        ("elektrographischer Anfall", "seizure"), ("crisis electrográfica", "seizure"), ("début clinique", "onset"),
        ("début crise électrique", "onset"), ("fin crise électrique", "offset"), ("inizio clinico", "onset"),
        ("pas de crise électrique", None), ("crise électrique ?", "uncertain"), ("examen clinique", None),
        ("crise de panique", None), ("stimulation électrique", None), ("post-crise électrique", None),
        ("Persyst Seizure Detected", None), ("sz medication", None), ("Anfallsfrei", None), ("post-ictal", None),
    ],
)  # fmt: skip
def test_what_european_systems_call_seizures_by_how_they_show(text, meaning):
    assert meaning_of(text) == meaning
