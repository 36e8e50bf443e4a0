"""Patterns of protected health information: the HIPAA safe-harbour identifiers that text can show.

Own patterns, because the kept libraries do not fit: presidio's names need a spaCy or transformers model that cannot be
had offline; dateparser reads "may" and bare numbers as dates; what phonenumbers finds is measured in docs/audits.md.
What is found may be invented: no pattern can tell. Names are found by title, by given name or by their place in a form;
a family name alone is not, so that eponyms ("Parkinson's disease") raise no alarm. Text without capitals shows no
names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from clinsynth.scoring.audit.names import GIVEN, NOT_SURNAMES, THINGS

Strength = Literal["strong", "weak"]
"""strong: identifies a person, or does so where it stands; weak: such as a date in a report of an outbreak."""


class Hit(NamedTuple):
    """One finding, without its text."""

    kind: str
    strength: Strength
    start: int
    """First character in the text as ``join`` gives it."""
    end: int


_MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?|Sept?(?:ember|\.)?|"
    r"Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NTH = rf"{_DAY}(?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)\d\d"
_NUMERIC = (
    rf"(?:{_DAY}[/.-](?:0?[1-9]|1[0-2])|(?:0?[1-9]|1[0-2])[/-]{_DAY})[/.-]{_YEAR}|"
    rf"{_YEAR}[/-](?:0[1-9]|1[0-2])[/-](?:0[1-9]|[12]\d|3[01])"
)
_SPELLED = rf"\b(?:{_MONTH} {_NTH},? {_YEAR}|{_NTH}(?: of)? {_MONTH},? {_YEAR})\b"
_IN_DIGITS = rf"(?<![\w./-])(?:{_NUMERIC})(?![\w/-]|\.\d)"
_NO_AMOUNT = r"(?! ?(?:%|(?:mg|ml|patients|(?:hour|day|week|month|year)s?)\b))"
_CAPITAL = r"(?:[A-Z]['\u2019])?[A-Z][a-z]+(?:['\u2019-][A-Z][a-z]+|[A-Z][a-z]+)?"
_TITLED = rf"(?:(?:{_CAPITAL}|[A-Z]\.) ){{0,2}}{_CAPITAL}"
_NUMBER = r"(?:[Nn]umber\b|[Nn]o\b\.?|#)"
_RECORD = (
    rf"(?:MRN|MR ?#|(?:[Mm]edical|[Hh]ospital|[Hh]ealth) [Rr]ecord {_NUMBER}|"
    rf"[Pp]atient (?:ID\b|[Ii]dentifier|[Nn]umber\b|[Nn]o\.|#)|"
    rf"(?:[Cc]hart|[Hh]ospital|[Aa]ccount|[Ll]icen[cs]e) {_NUMBER}|"
    rf"(?:[Mm]ember|[Ss]ubscriber|[Ii]nsurance|[Pp]olicy|[Mm]edicare|[Mm]edicaid|NHS) (?:ID\b|{_NUMBER}))"
)
_STREET = (
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Court|Terrace|Circle|Highway|Parkway|Place|Way|Square|Alley|Brook|Cove|"
    r"Creek|Crossing|Estates?|Expressway|Falls|Ferry|Freeway|Glen|Grove|Harbors?|Heights|Hills?|Hollow|Junction|Knolls?|"
    r"Landing|Loop|Manors?|Meadows?|Mews|Mills?|Orchard|Park|Pike|Plaza|Ranch|Ridges?|Shores?|Springs|Station|Summit|"
    r"Trail|Turnpike|Valleys?|Views?|Village|Vista|Walks?|(?:Apt|Suite|Unit)\b|"
    r"(?:St|Ave|Rd|Blvd|Ln|Dr|Ct|Hwy|Pkwy)(?=[.,]|$))(?!\w)"
)
_STATE = (
    r"(?:A[LKZR]|C[AOT]|D[CE]|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|"
    r"W[AVIY])"
)
_CALL = r"(?:[Tt]el(?:ephone)?|[Pp]hone|[Ff]ax|[Mm]obile|[Pp]ager|[Cc]all(?:ed|back)?|[Cc]ontact(?:ed)?)"
_EXTENSION = r"(?: ?(?:x|ext\.?) ?\d{1,5})?"
_DEGREE = r"(?:MD|M\.D\.|RN|R\.N\.|DO|D\.O\.|NP|PA-C|MBBS|DNP|LCSW)"
_PERSONAL = re.compile(
    r"\b(?:DOB|D\.O\.B|[Dd]ate of (?:birth|admission|discharge|death|service|visit|surgery)|"
    r"(?:was |were )?(?:born|admitted|discharged|seen|evaluated|hospitali[sz]ed|readmitted|transferred|died|"
    r"expired) on|"
    r"(?:[Aa]dmission|[Dd]ischarge|[Vv]isit|[Aa]ppointment|[Ff]ollow[- ]up) (?:[Dd]ate|on)|"
    r"[Hh]e|[Ss]he|[Hh]is|[Hh]er|[Mm]y|[Tt]h(?:e|is) patient|[Pp]t)\b"
)
"""Words that tie a date to one person."""
_THING = re.compile(rf"(?:['\u2019]s)?(?:[ -]\w+)? {THINGS}\b", re.IGNORECASE)
_PERIOD = re.compile(r"\b(?:from|between|until|till|to|through|as of|and) $", re.IGNORECASE)
_END = re.compile(r"[.?!] (?=[A-Z])")

_Found = re.Match[str]


def _always(found: _Found) -> bool:
    return True


def _person(found: _Found) -> bool:
    last = found["last"]
    return found["first"] in GIVEN and last not in NOT_SURNAMES and not _THING.match(found.string, found.end())


def _named(found: _Found) -> bool:
    return found["name"].split()[-1] not in NOT_SURNAMES and not _THING.match(found.string, found.end())


def _of_a_person(found: _Found) -> bool:
    before, after = _END.split(found.string[: found.start()])[-1], _END.split(found.string[found.end() :])[0]
    return _PERSONAL.search(f"{before} | {after}") is not None


def _of_no_person(found: _Found) -> bool:
    return not _of_a_person(found)


def _of_a_period(found: _Found) -> bool:
    """From 1/3/2020 to 11/5/2020: when a study was done."""
    return _PERIOD.search(found.string, 0, found.start()) is not None and not _of_a_person(found)


def _of_a_day(found: _Found) -> bool:
    return not _of_a_period(found)


def _digits(found: _Found) -> bool:
    return 7 <= sum(c.isdigit() for c in found[0]) <= 15


class _Pattern(NamedTuple):
    kind: str
    strength: Strength
    regex: re.Pattern[str]
    holds: Callable[[_Found], bool] = _always


def _strong(kind: str, regex: str, holds: Callable[[_Found], bool] = _always) -> _Pattern:
    return _Pattern(kind, "strong", re.compile(regex), holds)


_PATTERNS = (
    _strong("ssn", r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])"),
    _strong(
        "ssn",
        rf"\b(?:SSN|[Ss]ocial [Ss]ecurity {_NUMBER})\W{{0,3}}(?:is |was )?[\dX*]{{3}}[- ]?[\dX*]{{2}}[- ]?\d{{4}}\b",
    ),
    _strong("email", r"(?<![\w.+-])[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b"),
    _strong(
        "phone",
        r"(?<![\w.+/-])(?:(?:\+|00)?1[-. ]|\+1)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-.])\d{3}[-.]\d{4}"
        rf"{_EXTENSION}(?![\w/-])",
    ),
    _strong("phone", r"(?<![\w.])\+\d{1,3}[ .-]?\(?\d{1,4}\)?(?:[ .-]\d{2,4}){2,4}\b", _digits),
    _strong(
        "phone",
        rf"\b{_CALL}\b\.?(?: (?:back|number|no\.?|him|her|me|at|is|on))*[:#]? ?"
        rf"\+?\(?\d[\d ().-]{{5,16}}\d{_EXTENSION}\b{_NO_AMOUNT}",
        _digits,
    ),
    _strong("record-number", rf"\b{_RECORD}(?: (?:is|was))?[ :#]{{0,3}}(?=[A-Z0-9-]*\d{{3}})[A-Z0-9][A-Z0-9-]{{3,}}\b"),
    _strong("ip-address", r"\bIP(?: address)?(?: is| was|:)? (?:\d{1,3}\.){3}\d{1,3}\b"),
    _strong("name", rf"\b(?:Mr|Mrs|Ms|Dr|Prof|Professor|Doctor|Nurse|Miss)\.? (?P<name>{_TITLED})", _named),
    _strong("name", rf"\b(?P<first>[A-Z][a-z]+)(?: [A-Z]\.?| {_CAPITAL})?? (?P<last>{_CAPITAL})\b", _person),
    _strong("name", rf"\b(?:{_CAPITAL}|[A-Z]\.) (?:[A-Z]\.? )?{_CAPITAL}, ?{_DEGREE}(?!\w)"),
    _strong("name", rf"\b(?:[Pp]atient(?:'s)?|[Ff]ull|[Ff]irst|[Ll]ast) [Nn]ame(?: is|:)? {_CAPITAL}"),
    _strong(
        "name",
        rf"\b(?:Patient|Pt|Name|Attending|Dictated by|Signed by|Referred by|PCP|Next of kin): {_CAPITAL},? {_CAPITAL}",
    ),
    _strong("date", _IN_DIGITS, _of_a_day),
    _Pattern("date", "weak", re.compile(_IN_DIGITS), _of_a_period),
    _strong("date", _SPELLED, _of_a_person),
    _Pattern("date", "weak", re.compile(_SPELLED), _of_no_person),
    _strong(
        "date",
        rf"\b(?:on|since|dated) (?:{_MONTH} {_NTH}|{_NTH} {_MONTH}|{_DAY}/{_DAY}(?:/\d\d)?)\b(?!,? {_YEAR}|[/.-]\d)"
        + _NO_AMOUNT,
        _of_a_person,
    ),
    _strong(
        "date",
        r"\b(?:DOB|D\.O\.B\.|[Dd]ate of [Bb]irth|[Bb]irth ?[Dd]ate|[Aa]dmission [Dd]ate|[Dd]ischarge [Dd]ate)"
        rf"(?: is|:)? {_DAY}[/.-]{_DAY}[/.-]\d\d\b",
    ),
    _strong(
        "address",
        rf"\b\d{{1,5}} (?:[NSEW]\.? |North |South |East |West )?(?:[A-Z][a-z]+ |\d+(?:st|nd|rd|th) ){{1,3}}{_STREET}",
    ),
    _strong("address", rf"\b{_CAPITAL}, ?{_STATE},? \d{{5}}(?:-\d{{4}})?\b|\bP\.? ?O\.? Box \d+"),
    _strong(
        "age-over-89",
        r"(?<![\w.><=\u2265\u2264-])(?<!to )(?<![Oo]ver )(?<!than )(?:9\d|1[01]\d)"
        r"[- ](?:years?|yrs?|y)[- ](?:old|of age)\b"
        r"(?! and (?:over|older|above))",
    ),
    _strong("age-over-89", r"\b(?:9\d|1[01]\d) ?y(?:/o|o)\b|\b[Aa]ge: ?(?:9\d|1[01]\d)\b"),
)

_BEFORE = re.compile(r"\s+([.,;:!?)\]%])|([(\[#])\s+")
_BETWEEN = re.compile(r"(?<=\d)\s*([-/])\s*(?=\d)|(?<=\w)\s*(@)\s*(?=\w)|\s+(['\u2019]s\b)")
_DOMAIN = re.compile(r"(@[\w-]+)((?: ?\. ?[\w-]+)+)")
_MARKER = re.compile(r"@\w+\$")


def join(text: str) -> str:
    """The text with the spaces taken out that a tokeniser puts around punctuation, and without markers."""
    text = " ".join(_MARKER.sub("it", text).split())
    text = _BETWEEN.sub(lambda found: "".join(filter(None, found.groups())), text)
    text = _DOMAIN.sub(lambda found: found[1] + found[2].replace(" ", ""), text) if "@" in text else text
    return _BEFORE.sub(lambda found: found[1] or found[2], text)


def find(text: str) -> Iterator[Hit]:
    """Every finding in a text, by kind; two patterns of one kind do not count the same place twice."""
    joined = join(text)
    taken: set[tuple[str, int]] = set()
    for pattern in _PATTERNS:
        for found in pattern.regex.finditer(joined):
            places = {(pattern.kind, k) for k in range(found.start(), found.end())}
            if not places & taken and pattern.holds(found):
                taken |= places
                yield Hit(pattern.kind, pattern.strength, found.start(), found.end())
