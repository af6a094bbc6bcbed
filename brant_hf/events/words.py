"""The words of remarks about seizures, as regular expressions on plain text (see `vocabulary._plain`).

English words, the abbreviations of ILAE and of the TUH corpus (TUSZ), the tags of SzCORE, HED and HED-SCORE. Words of
other languages are written in English first (`REWRITTEN`); words that mean a seizure in some remarks and something
else in others (`crisis`, `insult`, `napad`) become `attack`, which counts only beside a word that settles it.
"""

import re
import unicodedata

# Letters of which Unicode keeps the mark as a part.
_BARRED = str.maketrans("ıłøđ", "ilod")


def without_accents(text: str) -> str:
    """Text without the marks that stand above, below or inside letters."""
    apart = unicodedata.normalize("NFKD", text.translate(_BARRED))
    return unicodedata.normalize("NFC", "".join(letter for letter in apart if unicodedata.category(letter) != "Mn"))


# What formats write before the text of a remark: record types of MEF3, marker types of BrainVision, clinical systems.
RECORD_TYPE = re.compile(
    r"^(?:(?:note|edfa|sylg|csti|comment|stimulus|response|annotation|remark|marker|xlevent|user|event)\s*[:/,]\s*)+",
    re.IGNORECASE,
)
# A MEF3 record of the type `Seiz`, as MNE-Python writes it.
MARKED = re.compile(r"seiz\s*:")
# SzCORE: `sz`, `sz_foc_ia`, ...; `bckg` is background. SeizeIT2 writes `sz_uo` for `sz_uon` (unknown onset).
SZCORE = re.compile(r"sz(_(foc|gen|uon?)(_[a-z0-9_]+)?)?")

_SIDES_AND_LOBES = (
    "left|right|l|r|lt|rt|bilateral(ly)?|unilateral|hemispheric|bitemporal|temporal|frontal|parietal|occipital|central"
    "|insular?|cingulate|mesial|medial|lateral|anterior|posterior|basal|hippocamp\\w*|amygdala|limbic|multifocal"
    "|diffuse|regional"
)
SIDE_OR_LOBE = re.compile(_SIDES_AND_LOBES)
_SEIZURES = (
    r"szs?|szrs?|esz|ecsz|egsz|ncsz|seiz|(?:sei|sie|se|si)z(?:ure|eure|re|uer|ur)s?|ictal|ictus|convulsions?"
    r"|tonicclonic|statusepilepticus|ncse|(?:s|f|bi?|2)?gtcs?|fb?tcs?|fbtcsz|btcs|fias|fas|sps|cps"
    r"|(?:fn|gn|sp|cp|ab|tn|cn|tc|at|my)sz"
)
_BEGINS = "on|ons|onse|onset|start(s|ed|ing)?|begin(s|ning)?|began|begun|commenc(es|ed|ing)"
_ENDS = (
    "off|offset|ends?|ended|ending|stop(s|ped|ping)?|over|terminat(es|ed|ion)|devolution|ceased|cessation|finished"
    "|resol(ves|ved|ution)"
)
SEIZURE_WORD = re.compile(_SEIZURES)
WEAK_WORD = re.compile(r"attacks?")
WEAK_SUPPORT = re.compile(
    r"electroclinical|electrographic|clinical|subclinical|i?eeg|epileptic|convulsive|focal|generali[sz]ed|tonic|clonic|myoclonic|partial|absence"
)
# What else speaks of a seizure, though nobody can tell whether there is one.
SPEAKING = re.compile(
    rf"\b(?:{_SEIZURES}|attacks?|nesz|seiz\w*|s(?:ei|ie|e)z[eiu]\w*|seisur\w*|szs?\d+|[a-z]{{1,3}}szs?|sz[besof]|convuls\w*)\b"
    # Abbreviations of kinds of seizures that are rarer, or not English.
    r"|\b(?:gtka|btka|epc|btc|cgtc|ctc[bg])\b|^(?:ccs|ces|ncs|scs)$"
    r"|\w*anfall\w*|\banf\b|\b(?:abs[ea]n[cs]\w*|ausenci\w*|assenz\w*)\b(?! of\b)|\b(?:status|se) (?:onset|offset)\b"
    r"|\b(?<!muscle )(?<!bladder )spasms?\b|\bauras?\b"
    r"|\bfocal (?:aware|impaired awareness|to bilateral)\b|^(?:sub)?clin(?:ical)?$"
    r"|\b(?:epileptic|electrographic|electroclinical|(?:sub)?clinical|typical|habitual|target|stereotyp\w*) "
    r"(?:event|episode|spell|fit|rhythmic discharge|discharge)s?\b|\bdischarges? clinical\b|^spells?$"
    r"|\b(?:simple|complex) partial\b|\bpartialis continua\b"
    # The onset of a seizure, whatever is said about it; `eec` and `ueo` as below, also in full.
    r"|\b(?:eec|ueo|lvfa)\b|\b(?:first|1st|initial|earliest) (?:[^\W\d]+ )?(?:change|sign|clin)s?\b"
    rf"|\b(?:l|r|lt|rt|left|right) [^\W\d]{{2,3}} onset\b"
    r"|\b(?:i?eeg|seeg|ecog|el\w*graphic\w*|electro(?:clinical)?|(?:sub)?clin(?:ical)?"
    r"|behav\w*)(?: change)?\W+(?:onset|offset)\b|\bbehav\w* (?:start|begin\w*|end|stop)s?\b|\beu? onset\b"
    rf"|\b(?:sub)?electrical (?:{_BEGINS}|{_ENDS})\b"
    # Somebody pressed the button that marks seizures, on purpose or not.
    r"|\b(?:patient|pt|event|alarm|parents?|mother|father|family|nurse|staff|tech) (?:\w+ ){0,2}?"
    r"(?:button|push\w*|press\w*)"
    r"|\b(?:patient|pt) (?:event|alarm|alert|marker|signal)\b|\balarm\w* (?:patient|pt)\b"
    r"|\bpush[ -]?button event\b|^push[ -]?button$|^(?:long episodes?|magnet(?: swipe)?)$"
)
# `eec` and `ueo`: earliest electrographic change, unequivocal electrographic onset.
ONSET_WORD = re.compile(rf"{_BEGINS}|eec|ueo")
OFFSET_WORD = re.compile(_ENDS)
# Words that stand beside the above and do not change the meaning. `z` precedes the remarks of some clinical systems.
NEUTRAL = re.compile(
    r"z|marker|event|#?\d{0,4}|pb|eeg|ieeg|seeg|ecog|el\w*graphic\w*|(?:sub)?clin(?:ical)?|definite|unequivocal"
    r"|earliest|epileptic|focal|generali[sz]ed|tonic|clonic|absence|myoclonic|aware|impaired|awareness|bilateral"
    r"|to|of|the|type|n"
)
CONTACT = re.compile(r"[a-z]{1,4}'?\d{1,3}(-([a-z]{1,4}'?)?\d{1,3})?")
# Behind the letters of a shaft, with a space between: `LA 1-4`; other words that stand before numbers.
NUMBERS = re.compile(r"\d{1,3}(-\d{1,3})?")
COUNTED = re.compile(r"ages?|days?|yrs?|wks?|mo|hrs?|min|sec|[hs]|am|pm|x|nr|no|num|type|day|room|bed|dose|case")
# In a list of contacts, where a system cuts remarks after so many letters.
SHAFT = re.compile(r"[a-z]{1,4}'?")
# Beside a word for an end or a begin alone, these say nothing of what ends or begins.
ITSELF = re.compile(r"it('s)?|all|has|is|now|this|here")
# Clinical sets mark seizures by these words alone.
BARE = re.compile(r"onset|offset")
# Beside a word for a seizure, these do not change the meaning either.
DESCRIBING = re.compile(
    rf"{_SIDES_AND_LOBES}|a|an|this|and|is|has|now|nr|num|number|first|second|third|another|new|habitual|(a?typical)"
    r"|stereotyp\w*|brief|short|long|prolonged|big|small|large|subtle|mild|nocturnal|spontaneous|stim\w*|electrical(ly)?"
    r"|induced|provoked|triggered|evoked|activity|patterns?|discharges?|rhythm\w*|sensory|motor|nonmotor|non|atonic"
    r"|hyperkinetic|hypermotor|hypomotor|hypokinetic|automatisms?|autonomic|cognitive|emotional|behaviou?r\w*|arrest"
    r"|gelastic|dyscognitive|simple|complex|partial|secondar\w+|primary|evolving|convulsive|nonconvulsive"
    r"|unclassified|retained|preserved|intact|attacks?|patient|pt|sc|score|phase|\d+(?:st|nd|rd|th)|electroclinical|versive"
    r"|eyelid|myoclonia|hemiclonic|reflex|febrile|sleep|drop|gen|lasting"
)
# Parts of a remark that say nothing about whether there is a seizure.
ASIDE = re.compile(
    rf"{_SIDES_AND_LOBES}|clinical\w*|correlates?|correlation|signs?|symptom\w*|semiology|manifestations?|changes?"
    r"|alterations?|accompaniments?|components?|features?|behaviou?r\w*|movements?|automatisms?|jerk\w*|twitch\w*"
    r"|impair\w*|awareness|aware|conscious\w*|(un)?responsive\w*|loss|button|push\w*|press\w*|patient|pt|sleep\w*"
    r"|asleep|awak\w*|wak\w*|arousal|slowing|follow\w*|spread\w*|propagat\w*|evol\w*|secondar\w*|generali[sz]\w*"
    r"|rhythm\w*|spik\w*|sharp|waves?|fast|low|high|amplitude|voltage|activity|beta|alpha|theta|delta|gamma|hz|video"
    r"|near|obvious|overt|associated|aura|loc|loa|oriented|confus\w*|drowsy|alert|talking|s|sec|seconds?|min|minutes?"
    r"|suppression|atten\w*|electrodecrement\w*|flattening|post-?ictal"
)
CONNECTOR = re.compile(
    r"no|not|with|without|any|by|before|after|during|while|then|from|and|in|on|at|near|clear|into|out"
)
NO = re.compile(r"\b(?:no|not|non|none|without|never)\b")
EEG_WORD = re.compile(r"eeg|ieeg|seeg|ecog|scalp|surface|el\w*graphic\w*")
# Where one part of a remark ends: punctuation, or before a word that adds something.
BREAK = re.compile(
    r"[,;:.()\[\]{}|/&+!<>=]+|\s-+\s"
    r"|(?<!\bwith )(?=\b(?:no|not|with|without|before|after|during|while|then|from|in)\b)"
)
# Words with their apostrophe and pairs of contacts; `#` numbers a seizure.
TOKEN = re.compile(r"[^\W_](?:[^\W_]|['\-](?=\w)|')*|#\d*")

DOUBT = re.compile(
    r"\?|\b(?:possibl[ey]|probabl[ey]|prob|poss|susp|questionabl[ey]|suspect\w*|suspicio\w*|maybe|perhaps"
    r"|(?:un)?likely|r\s*/\s*o|rule[ds]?[ -]?out|vs|versus|query|presum\w*|potential(?:ly)?|equivocal|unclear|unsure"
    r"|uncertain|not (?:sure|certain)|doubtful|candidate)\b|(?<=seizure)[ -]like\b|(?<=sz)[ -]like\b"
)
_NAMED = rf"(?:{_SEIZURES}|attacks?)"
_SUCH = (
    "a|an|any|clear|definite|obvious|clinical|subclinical|electrographic|electroclinical|eeg|epileptic|further|more"
    "|evidence|of|other|new|true|real|convulsive|focal|generali[sz]ed|apparent|signs?|recorded"
)
# Texts about seizures that are surely none.
NEGATED = re.compile(
    rf"\b(?:no|not|without|never|denie[sd]|negative for|absence of|lack of|free of|isn'?t)(?:[ -](?:{_SUCH}))*[ -]"
    rf"{_NAMED}\b(?!\s*\?)"
    rf"|\bnon[ -]?epileptic(?:[ -](?:{_NAMED}|events?|spells?))?\b|\bpnes(?: {_NAMED})?\b|\bsoz\b"
    rf"|\b(?:psychogenic|functional|dissociative)(?:[ -]non[ -]?epileptic)?[ -]{_NAMED}\b|\bpsychogenic\b"
    # HED-SCORE has the tag `Seizure-PNES`.
    rf"|\b{_NAMED}[ (,;:/-]+(?:pnes|psychogenic|non[ -]?epileptic|functional|dissociative)\b"
    rf"|\b{_NAMED} ?[=:] ?(?:0|f|false)\b|\b(?:seizures|szs) ?- ?0\b"
    rf"|\b(?:non|pseudo|inter|pre|post|peri)[ -]?(?:{_NAMED}|i[ck]tal\w*)\b"
    r"|\b(?:no|not|without|never|denie[sd])(?:[ -](?:any|a|an|clear))?[ -]auras?\b"
    rf"|\b{_NAMED}[ -]?free\w*|\b{_NAMED}[ -]onset[ -]zone\b"
    # Persyst notes that it has looked for seizures.
    r"|@seizures processed\b.*"
)

# Texts of other languages and spellings, in English; applied in this order to text without accents.
_ENGLISH = {
    "no": r"kein\w*|ohne|pas de|pas d'|sans|aucune?|sin|senza|nessun\w*|sem|geen|zonder|нет|без|bez|brak",
    # Not in `LA 1`, a contact.
    "of": r"(?:de|des|du|d'|del|della|di|do|da|der|van|l'|la|le|el)(?!\s*\d)",
    "seizure-free": r"anfalls?frei\w*",
    "seizure begin": r"anf(?:alls?)?[ .-]*(?:beginn|anfang|start)|(?:beginn|anfang) +anf",
    "seizure end": r"anf(?:alls?)?[ .-]*ende|ende +anf",
    "seizure pattern": r"anfalls?(?:muster|aktivitat)",
    "seizure": r"(?:kramp\w*)?anfall(?:e|s|es|en|et)?|anfald(?:et)?|konvulsion(?:en)?|convuls(?:ao|oes|ioni|iones)",
    "attack": r"crises?|crisis|crisi|criza|crize|aanval(?:len)?|insult(?:en|e)?|(?:эпи-?)?приступ\w*|напад\w*"
    r"|припад\w*|пристъп\w*"
    r"|судорог\w*|судорожн\w*|napad\w*|zachvat\w*|nobet\w*|kohtau\w*|roham\w*|κρισ\w*|ataques?|atak|attacc\w+"
    r"|attaques?|attacken?|kejang\w*|co giat|[dđ]ong kinh|priepuol\w*|lekme\w*|krampf\w*|kramp(?:er|e)?",
    "epileptic": r"epilepti(?!c\b|cus\b|form)\w*|epilep(?:sie|sia|sias|si)|epilettic\w*"
    r"|эпилепт\w*|padaczk\w*|эпилепси\w*",
    "begin": r"beginn|anfang|debut|inicio|comienzo|inizio|comeco|начал\w*|poczatek|zacatek|zaciatok|baslangic\w*"
    r"|basladi|begint|aanvang",
    "end": r"ende|fin|fim|final(?= +of\b)|fine(?= +(?:of +)?attack)|einde|кон(?:ец|ца)|окончани\w*|koniec|konec"
    r"|bitis\w*|bitti|sonu|slutt?",
    "possible": r"moglich\w*|fraglich\w*|verdacht\w*|wahrscheinlich\w*|posible|possibile|possivel|provavel|возможн\w*"
    r"|вероятн\w*|mozliw\w*|olasi|mogelijk\w*",
    "ictal": r"iktal\w*|иктал\w*|(?<=decharge )critique|(?<=activite )critique|per[ -]?critiques?",
    "electroclinical": r"ele(?:ctro|ktro|ttro) ?(?:klinisch\w*|cliniques?|clinic\w+)",
    "electrographic": r"elektro(?:graph|graf)isch\w*|ele(?:ctro|ttro)gra(?:phique|fic[aohe])\w*|electriques?"
    r"|elektri(?:sch|ck|cz)\w*|electric[ao]s?|elettric[aohe]+",
    "clinical": r"(?:(?:sub|infra)[ -]?)?(?:klini(?:sch|sk|ck|k)\w*|cliniques?|clinic[ao]s?)",
    "discharge": r"decharges?|descargas?|scarica|scariche|entladung(?:en)?",
    "convulsive": r"convulsiv[aoe]s?",
    "focal": r"fokal\w*|focales?|focaux",
    "generalized": r"generalisi\w*|generalisee?s?|generalizad\w*|generalizzat\w*|gegeneraliseerd\w*",
    "tonicclonic": r"(?:tonic|tonisch|tonico|tonicas?|toniko)[ -]?(?:clonic[ao]?s?|klonisch\w*|cloniques?|klonick\w*)"
    r"|grand[ -]mal|бткп|гткп",
    "partial": r"partielle?s?|parcial\w*|parzial\w*",
    "left": r"links|gauche|izquierd\w+|sinistr\w+|esquerd\w+",
    "right": r"rechts|droite?|derech\w+|destr\w+|direit\w+",
    "absence seizure": r"petit[ -]mal",
    "statusepilepticus": r"(?:status|stato|estado|etat|статус) +epilepti\w+|(?:non)?convulsive status"
    r"|epileptic +(?:status|статус)|etat +of +mal(?: +epileptic)?|stan +epileptic",
}
# Scripts that put no space between words.
_UNSPACED = {
    "no attack": r"(?:无|無|没有)(?:癫痫|癲癇)?(?:发作|發作|発作)",
    "interictal": r"(?:发作|發作|発作)(?:间|間)欠?期|(?:癫痫|癲癇|てんかん)[样様樣]|癫痫波",
    "seizure": r"(?:癫痫|癲癇|てんかん|けいれん|痙攣)性?(?:发作|發作|発作)|발작",
    "attack": r"发作|發作|発作|癫痫|癲癇|癲痫|てんかん|抽搐|痉挛|痙攣|けいれん|간질|경련"
    r"|ชัก|दौरा|मिरगी|نوبة|تشنج|صرع|התקף|פרכוס",
    "begin": r"開始|开始|起始|始まり|시작|개시",
    "end": r"終了|终了|终止|終止|结束|結束|停止|종료|끝",
    "possible": r"可能|疑い|疑似|疑|의심",
    "of": r"の|의|性",
    "left": r"左側?|左侧",
    "right": r"右側?|右侧",
}
# Any text about seizures in ASCII letters, in lower case, has one of these: a test that takes no time.
STEMS = re.compile(
    "(?<!h)z|i[ck]t|[ck]onvuls|ton[iu]|stat|stan|estado|ncse|gtc|tcs|btc|ctc|aware|fias|fas|sps|cps|gtka|btka|epc"
    "|at[at]+[ackq]|cris|aanval|insult|napad|nobet|kohtau|roham|kejang|giat|kinh|priepuol|lekme|kramp|anf|abs|aus"
    "|assen|spasm|epilep|part|parc|mal|[cns]cs|ces|episode|magnet|crit|set|osn|nest|nste|aura|event|spell|chang|sign"
    "|lvfa|eeg|behav|seis|bilat|graphic|[ck]lin|eec|ueo|definite|elektri|electrical|button|push|press|alarm|padac"
)
_LENGTH = re.compile(
    r"(?:\b(?:x|for|lasted|lasting|duration|dur) ?[:=]? *|[~(] *)?(?<![\w.,:])\d{1,4}(?:[.,]\d+)? ?"
    r"(?:s|secs?|seconds?|mins?|minutes?)\b"
    r"(?! *(?:ago|before|after|later|earlier|prior|post|into|from|to|until|till|in)\b)"
)
_STARTED = "onset|offset|start|begin|end|on|off|stop"
REWRITTEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=[^\W\d])-(?=[^\W\d])"), " "),
    # `crise1`; contacts have fewer letters.
    (re.compile(r"\b([^\W\d_]{5,})(?=\d{1,3}\b)"), r"\1 "),
    # Of the seizure or of the recording: `electrical` is not clear either.
    *(
        (re.compile(rf"\b(?:{words}) eeg\b|\beeg (?:{words})\b"), f" electrical {english} ")
        for english, words in (
            ("begin", "debut|inizio|inicio|beginn|anfang|begint?|zacatek|poczatek|baslangic"),
            ("end", "fin|fine|fim|ende|einde|konec|koniec|sonu"),
        )
    ),
    *((re.compile(without_accents(pattern)), f" {english} ") for english, pattern in _UNSPACED.items()),
    *((re.compile(rf"\b(?:{pattern})\b"), f" {english} ") for english, pattern in _ENGLISH.items()),
    (re.compile(r"\btonic[ -]clonic\b"), "tonicclonic"),
    (re.compile(r"\bsub clin"), "subclin"),
    (re.compile(r"\b(?:osnet|onest|onste)\b"), "onset"),
    (re.compile(r"\b(?:clincial|clinicla)\b"), "clinical"),
    # Neither the one nor the other by the terms of the ACNS: the continuum, and what is too brief for a seizure.
    (re.compile(r"\b(?:inter ?)?ictal[ /]+(?:inter ?)?ictal\b|\bbrief ictal(?= rhythm)"), " possible ictal "),
    (re.compile(r"\bepilepticus\b"), "epileptic"),
    # A rate, not complex partial seizures; a date, which is not that of the recording; a number.
    (re.compile(r"(?<=\d)\s*[cs]ps\b"), " hertz"),
    (re.compile(r"\b\d{1,4}[/.\-]\d{1,2}[/.\-]\d{2,4}\b"), " date "),
    (re.compile(r"\bn[or]\.?\s*(?=\d)"), " #"),
    (re.compile(r"\bnext to\b"), "near"),
    (re.compile(r"\bw\s*/\s*o\b"), "without"),
    (re.compile(r"\bw/"), "with "),
    (re.compile(r"(?<=\w )(on|off)[ -]set\b"), r"\1set"),
    # How long it lasts; `30 s before seizure` is another thing.
    (_LENGTH, " lasting "),
    # Who begins with the length looks back: in the data of ds003029 such remarks stand at the end of the seizure.
    (re.compile(r"^\W*(?:z\W+)?lasting\b"), " possible "),
    # Several, of which one remark does not tell the times.
    (re.compile(r"\b(seizures?|szs?) ?x ?\d+\b"), r" several \1 "),
    (re.compile(r"\b\d+ (?=(?:seizures|szs|attacks)\b)"), " several "),
    (re.compile(r"\b(?:number|num|nr|nb|n)[ .]*(?:of )?(?=(?:seizures|seiz|szs|attacks)\b)"), " several "),
    (re.compile(r"\b(seizures?|seiz|szs?)-(?=\d)"), r"\1 "),
    # `seizureonset`, `sz2`, `sz01start`.
    (re.compile(rf"\b(seizure|seiz|sz|ictal|eeg)(?=(?:{_STARTED})\b)"), r"\1 "),
    (re.compile(rf"\b(seizures?|seiz|szs?)(\d{{1,3}})(?=(?:{_STARTED})?\b)"), r"\1 #\2 "),
    # In `focal-onset seizure` the onset is part of the kind of seizure.
    (re.compile(r"\b(focal|generali[sz]ed)[ -]onset(?=[ -](?:\w+[ -])*(?:epileptic|seizure|sz))"), r"\1"),
    (re.compile(r"\bunknown[ -](epileptic[ -])?onset(?=[ -](?:\w+[ -])*(?:epileptic|seizure|sz))"), "epileptic"),
    (re.compile(r"\bawareness[ -]unknown\b"), "awareness"),
)
