"""No health data enters this system: what a text says of a patient is refused where it comes in.

That is what lets ordinary mail and calendars be used. Some marks are certain (a social-security number, a hospital's
patient number, a date of birth) and always refused; others are possible (a name, a term, a disease, initials) and
refused once: the person who typed them may confirm that they concern no patient. A refused text is stored and logged
nowhere, so an error names the field and the kind of mark, never the words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from perinat_sched.errors import HealthDataSuspected
from perinat_sched.i18n import Message


def refuse_health_data(texts: Mapping[str, str], *, known: Collection[str], confirmed: bool) -> None:
    """Refuse texts (by field) that bear marks of a patient.

    `known`: names of people, sites and rooms, titles of sessions: where they stand as they are given (a last name too,
    if it is given), they never count. `confirmed`: the person says that possible marks concern no patient; certain
    ones are refused all the same. Raises HealthDataSuspected, for a certain mark if there is one.
    """
    names = tuple(map(_plain, known))
    said = {field: _Said.of(text, names) for field, text in texts.items()}
    for marks in (_CERTAIN,) if confirmed else (_CERTAIN, _POSSIBLE):
        for field, words in said.items():
            for mark in marks:
                if mark.found(words):
                    message = Message(mark.message.text, field=field)
                    raise HealthDataSuspected(field, mark.kind, message, certain=marks is _CERTAIN)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """A text as it is searched: compatible forms, without accents and invisible characters."""

    whole: str
    dialled_out: str  # without links, addresses and dial strings, which hold numbers and names of their own

    @classmethod
    def of(cls, text: str, names: Collection[str]) -> _Said:
        whole = _without(_plain(text), names)
        return cls(whole=whole, dialled_out=_DIAL_STRING.sub(_GAP, whole))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Mark:
    """A kind of mark: its code, what the person is told, and how it is recognised."""

    kind: str
    message: Message  # lacks only the field
    found: Callable[[_Said], bool]


_GAP = " | "  # stands where something was taken out, so that what stood around it does not join
_DIAL_STRING = re.compile(r"(?i:\b(?:sips?|h323|tel|callto|https?):\S+)|(?<![\w.+-])[\w.+-]{1,64}@[\w.-]+")


def _plain(text: str) -> str:
    """Full-width digits, no-break spaces, dashes of every length, accents and hidden characters hide nothing."""
    return text if text.isascii() else "".join(map(_plain_character, unicodedata.normalize("NFKD", text)))


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.decimal(character))
        case "Pd":
            return "-"
        case "Zs":
            return " "
        case "Mn" | "Cf":
            return ""
    return "'" if character in "’‘ʼ" else character


def _without(text: str, names: Collection[str]) -> str:
    """The text without the known names that stand in it as whole words."""
    folded = text.casefold()
    present = sorted({name.strip() for name in names if name.strip() and name.casefold() in folded}, key=len)
    if not present:
        return text
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, reversed(present)))})(?!\w)", _GAP, text, flags=re.IGNORECASE)


# --- certain ---------------------------------------------------------------------------------------------------------

_SEP = r"[\s./_·•-]{0,3}"
_NOT_OF_A_NUMBER = re.compile(r"[^\dABab]+")
# Sex, year, month, department (2A and 2B in Corsica), commune, order, and the key if there is one; never after a +,
# with which one dials. The INS of a patient is the same number with its key. (INSEE; ANS, Référentiel INS)
_NIR = re.compile(
    rf"(?<![\d+])(?=([1-478]{_SEP}\d\d{_SEP}(?:0[1-9]|1[0-2]){_SEP}(?:\d\d|2[ABab]){_SEP}\d{{3}}{_SEP}\d{{3}})"
    rf"(?:{_SEP}(\d\d))?(?!\d))"
)
# Fifteen characters grouped in any way: a valid key makes up for the missing order.
_KEYED = re.compile(rf"(?<![\d+])(?=([1-478](?:{_SEP}\d){{4}}{_SEP}\d{_SEP}[\dABab](?:{_SEP}\d){{8}})(?!\d))")
_MEETING = re.compile(
    r"(?i)\b(?:teams|zoom|webex|meet(?:ing)?|reunion|(?:visio)?conference|visio)(?: (?:id|no?|numero|number))?\W{1,4}$"
)


def _nir(said: _Said) -> bool:
    """A social-security number: 13 characters in its own form, or 15 with a valid key."""
    text = said.dialled_out
    for match in _NIR.finditer(text):
        number, key = match.groups()
        before = text[max(0, match.start() - 40) : match.start()]
        if _key_is_valid(number + key) if key else not _is_a_meeting(number, before):
            return True
    return any(map(_key_is_valid, {match[1] for match in _KEYED.finditer(text)}))


def _is_a_meeting(number: str, before: str) -> bool:
    """Whether 13 digits in one go are a meeting's, because the word before them says so."""
    return number.isdigit() and bool(_MEETING.search(before))


def _key_is_valid(number: str) -> bool:
    """Whether the last two digits are 97 minus the rest of the others; 2A counts as 19, 2B as 18."""
    digits = _NOT_OF_A_NUMBER.sub("", number).upper()
    digits = digits[:5] + digits[5:7].replace("2A", "19").replace("2B", "18") + digits[7:]
    return digits.isdigit() and 97 - int(digits[:13]) % 97 == int(digits[13:])


_MONTH = r"(?:jan|fe[vb]|mar|a[pv]r|ma[iy]|jui|jun|jul|aou|aug|sep|oct|nov|dec)[a-z]{0,8}\.?"
_DAY_NAME = r"(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|(?:mon|tues|wednes|thurs|fri|satur|sun)day),?\s+"
_DATE = (
    rf"(?:{_DAY_NAME})?(?:\d{{1,2}}\s?[./ -]\s?\d{{1,2}}(?!\d)|\d{{1,2}}(?:er|st|nd|rd|th)?\s{{1,3}}(?:of\s)?{_MONTH}"
    rf"|{_MONTH}\s\d{{1,2}}|\d{{4}}-\d\d-\d\d|\d{{8}}(?!\d)|\d{{6}}(?!\d))"
)
_BIRTH_DATE = re.compile(
    r"(?i)"
    r"\b(?:nee(?:\s{1,3}(?-i:[A-Z])[\w'-]{0,30}){0,3}|ne(?:e?s|[(.·-]{1,2}e[).]?s?)?)"
    r"(?:\s{1,3}a\s(?-i:[A-Z])[\w'-]{0,30})?"
    rf"(?:\s{{1,3}}le\s{{1,3}}(?:{_DAY_NAME})?\d|\s?:?\s{{0,3}}{_DATE})"
    rf"|\b(?:D\.?D\.?N\b\.?|date\sde\snaissance|D\.?O\.?B\b\.?|date\sof\sbirth|birth\s?date)[\s:=(-]{{0,4}}(?:le\s)?{_DATE}"
    rf"|\bborn\s(?:on\s)?(?:the\s)?{_DATE}"
)
_IPP = re.compile(
    r"(?i)\bI\.?P\.?P\.?(?![a-z])(?:[\s:=#°.()-]|\b(?:no?|num|numero|patiente?|du|de|la|le|est)\b){0,16}\d(?:[\s.-]?\d){2}"
)


# --- possible --------------------------------------------------------------------------------------------------------

_TITLE = re.compile(
    r"(?<![\w.])(?:(?:(?i:mme|mlle)s?|Mrs?|Ms)(?:\.\s{0,3}|\s{1,3})(?=[^\W\d_])"
    r"|(?:MM?\.(?![A-Z]\b)\s{0,3}|(?:MR|Mad(?:ame|emoiselle)|madame|MADAME|[Mm]onsieur|MONSIEUR|[Pp]atiente|patient|[Bb]ebe)"
    r"\s{1,3})(?=[A-Z]))"
)
_NOBODY = re.compile(  # what follows a title without naming anybody: "M. Le Gall" is somebody, "M. le maire" is not
    r"(?i:(?:(?:la|les?|vice)[\s-]|l')?(?:dre?|pre?|prof|docteure?|professeure?|direct(?:eur|rice)|president|chef|cadre"
    r"|doyen|maire|prefet|ministre|adjoint|referent|responsable|secretaire|coordin|sage-femme|interne|mesdames|messieurs"
    r"|madame|monsieur)(?:e|ne|fe|s|at\w*)?)\b"
    r"|(?:la|les?|et|ou|aux?|en|pour|par|du|des|Teams)\b|[ld]'"
)


_DOCTOR = re.compile(r"(?i)\b(?:dre?|pre?|prof|docteure?|professeure?)\.?\s{0,3}$")


def _name(said: _Said) -> bool:
    """A title and a name: "Mme X", "M. D."; never a function ("M. le directeur") nor a doctor ("Dr M. Roy")."""
    text = said.dialled_out
    return any(
        not _NOBODY.match(text, match.end()) and not _follows_doctor(text, match.start())
        for match in _TITLE.finditer(text)
    )


def _follows_doctor(text: str, at: int) -> bool:
    return bool(_DOCTOR.search(text[max(0, at - 16) : at]))


_TERM = re.compile(
    r"(?<![\w.,])\d{1,2}(?:eme|e)?(?:\s?\+\s?\d(?:\s?/\s?7)?)?\s{0,3}(?:j\s?)?(?:SA\b|S\.A\.|WG\b"
    r"|sa(?=\s{0,3}(?:[+.,;:!?)]|\d|et\s\d|$))"
    r"|(?i:(?:semaines?|sem\.?|weeks?'?)\s{1,3}(?:(?:d'?\s?|of\s)?amenorrh|de\sg(?:rossesse|estation)|(?:of\s)?gestation|pregnan)))"
    r"|(?i:\b(?:grossesse|enceinte|pregnant)\s{1,3}(?:de\s|a\s)?\d{1,2}\s{0,3}(?:sem|w))"
    r"|(?i:\bterme\s?:?\s?)\d{2}\s?\+\s?\d\b"
)
_DISEASE = re.compile(r"(?i)(?<![\w.-])(?:T(?:13|18|21)|trisom(?:ies?|y)[\s-]{0,3}(?:13|18|21))(?!\w)")
_INITIALS = re.compile(  # exactly two: three dotted capitals are an acronym
    r"(?<![\w.-])(?<![A-Z]\.\s)(?P<letters>[A-Z]\.\s?-?[A-Z])(?:\.(?!\s?-?[A-Z]\.|[A-Z]\b)|(?![\w.'-]))"
)
_INITIALS_NAMED = re.compile(r"(?i:\binitiales?\s?:?\s?)[A-Z]{2,3}\b")
_ABBREVIATIONS = re.compile(r"SA|NB|PH|PS|PJ|PV|US|UK|UE|EU|CH|CR|CV|DU|DI|IA|JC|RH|SI|RV|AM|PM|TV")


def _initials(said: _Said) -> bool:
    """Two dotted capitals, "A.B.", that are no common abbreviation nor a doctor's first names."""
    text = said.dialled_out
    return bool(_INITIALS_NAMED.search(text)) or any(
        not _ABBREVIATIONS.fullmatch(re.sub(r"[^A-Z]", "", match["letters"]))
        and not _follows_doctor(text, match.start())
        for match in _INITIALS.finditer(text)
    )


_CERTAIN = (
    _Mark(
        kind="social-security-number",
        message=Message(
            "{field} holds a social-security number (NIR, INS). No health data enters this system: "
            "send it by secure health mail (MSSanté)."
        ),
        found=_nir,
    ),
    _Mark(
        kind="patient-number",
        message=Message(
            "{field} holds a hospital's patient number (IPP). No health data enters this system: "
            "send it by secure health mail (MSSanté)."
        ),
        found=lambda said: bool(_IPP.search(said.whole)),
    ),
    _Mark(
        kind="date-of-birth",
        message=Message(
            "{field} holds a date of birth. No health data enters this system: send it by secure health mail (MSSanté)."
        ),
        found=lambda said: bool(_BIRTH_DATE.search(said.whole)),
    ),
)
_POSSIBLE = (
    _Mark(
        kind="name",
        message=Message(
            "{field} may name a patient. No health data enters this system: take the name out, "
            'or confirm with "no_patient_data": true that it is no patient\'s.'
        ),
        found=_name,
    ),
    _Mark(
        kind="term",
        message=Message(
            "{field} may give the term of a pregnancy. No health data enters this system: take it out, "
            'or confirm with "no_patient_data": true that it is no patient\'s.'
        ),
        found=lambda said: bool(_TERM.search(said.dialled_out)),
    ),
    _Mark(
        kind="disease",
        message=Message(
            "{field} may name a patient's disease. No health data enters this system: take it out, "
            'or confirm with "no_patient_data": true that it is no patient\'s.'
        ),
        found=lambda said: bool(_DISEASE.search(said.dialled_out)),
    ),
    _Mark(
        kind="initials",
        message=Message(
            "{field} may hold a patient's initials. No health data enters this system: take them out, "
            'or confirm with "no_patient_data": true that they are no patient\'s.'
        ),
        found=_initials,
    ),
)
