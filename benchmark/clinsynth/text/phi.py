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

_GIVEN = """
    James John Robert Michael William David Richard Charles Joseph Thomas Christopher Daniel Paul Donald George
    Kenneth Steven Edward Brian Ronald Anthony Kevin Jason Matthew Gary Timothy Jose Larry Jeffrey Scott Eric
    Stephen Andrew Raymond Gregory Joshua Jerry Dennis Walter Patrick Peter Harold Douglas Henry Carl Arthur Ryan
    Roger Juan Albert Jonathan Justin Terry Gerald Keith Samuel Willie Ralph Lawrence Nicholas Roy Benjamin Bruce
    Brandon Adam Harry Fred Wayne Billy Steve Louis Jeremy Aaron Randy Howard Eugene Carlos Russell Bobby Victor
    Martin Ernest Phillip Todd Jesse Craig Alan Shawn Philip Chris Johnny Earl Jimmy Antonio Bryan Tony Luis Mike
    Stanley Leonard Nathan Manuel Rodney Curtis Norman Allen Marvin Vincent Glenn Jeffery Travis Jeff Jacob Melvin
    Alfred Kyle Bradley Herbert Frederick Joel Edwin Eddie Ricky Troy Randall Barry Alexander Bernard Mario Leroy
    Francisco Marcus Micheal Theodore Clifford Miguel Oscar Jim Tom Calvin Alex Jon Ronnie Lloyd Tommy Leon Derek
    Warren Darrell Jerome Floyd Leo Alvin Tim Wesley Gordon Greg Jorge Dustin Pedro Derrick Dan Lewis Zachary Corey
    Herman Maurice Vernon Roberto Clyde Glen Hector Shane Ricardo Sam Rick Lester Brent Ramon Charlie Tyler Gilbert
    Ethan Noah Liam Logan Lucas Oliver Elijah Aiden Ahmed Mohammed Muhammad Wei Hiroshi Raj Rajesh Sanjay Vijay Omar
    Hassan Ivan Dmitri Hans Klaus Pierre Luca Giovanni Mary Patricia Linda Barbara Elizabeth Jennifer Maria Susan
    Margaret Dorothy Lisa Nancy Karen Betty Helen Sandra Donna Carol Ruth Sharon Michelle Laura Sarah Kimberly
    Deborah Jessica Shirley Cynthia Angela Melissa Brenda Amy Anna Rebecca Kathleen Pamela Martha Debra Amanda
    Stephanie Carolyn Christine Marie Janet Catherine Frances Ann Joyce Diane Alice Julie Heather Teresa Doris
    Gloria Evelyn Cheryl Mildred Katherine Joan Ashley Judith Janice Kelly Nicole Judy Christina Kathy Theresa
    Beverly Denise Tammy Irene Jane Lori Rachel Marilyn Andrea Kathryn Louise Sara Anne Jacqueline Wanda Bonnie
    Julia Lois Tina Phyllis Norma Paula Diana Annie Lillian Emily Peggy Gladys Rita Connie Tracy Edna Tiffany Carmen
    Rosa Cindy Wendy Edith Kim Sherry Sylvia Josephine Thelma Shannon Sheila Ethel Ellen Elaine Marjorie Carrie
    Monica Esther Pauline Emma Juanita Anita Rhonda Eva Debbie Leslie Clara Lucille Jamie Joanne Eleanor Valerie
    Danielle Megan Alicia Suzanne Michele Gail Bertha Darlene Veronica Jill Erin Geraldine Lauren Cathy Joann
    Lorraine Lynn Sally Regina Erica Beatrice Dolores Bernice Audrey Yvonne Annette Samantha Marion Dana Stacy Ana
    Renee Ida Vivian Roberta Brittany Melanie Loretta Yolanda Jeanette Laurie Katie Kristen Vanessa Alma Sue Elsie
    Beth Jeanne Vicki Carla Tara Rosemary Eileen Terri Gertrude Lucy Tonya Ella Stacey Wilma Gina Kristin Jessie
    Natalie Agnes Vera Charlene Bessie Delores Melinda Arlene Maureen Colleen Allison Tamara Sophia Olivia Isabella
    Ava Mia Chloe Abigail Fatima Aisha Priya Mei Yuki Olga Svetlana Ingrid Sofia Camila Lucia Adrian Alejandro
    Alejandra Victoria Sean Ariel Gabriella Gabriel Gabrielle Tracey Shawna Hannah Madison Alexis Brianna Kayla
    Jasmine Haley Kaitlyn Courtney Rebekah Cassandra Miranda Kara Mallory Bethany Chelsea Molly Savannah Natasha
    Sabrina Whitney Caroline Candace Candice Cameron Evan Dylan Connor Cody Trevor Jared Blake Seth Ian Xavier Isaac
    Caleb Luke Garrett Devin Dominic Colin Marc Spencer Preston Edgar Casey Mitchell Brett Dwayne Darren Duane
    Geoffrey Julian Fernando Eduardo Sergio Rafael Raul Armando Javier Andre Damon Kurt Neil Micah Kristina Kristine
    Jaclyn Jocelyn Erika Meghan Katelyn Lindsey Lindsay Lacey Kelsey Krista Kendra Latoya Leah Lydia Makayla Marissa
    Monique Nathaniel Nichole Nina Paige Ross Shelby Shelley Shelly Sherri Sheri Sophie Stefanie Tabitha Tamika
    Tanya Tasha Toni Traci Tristan Tyrone Vickie Yesenia Zoe Abby Adriana Aimee Alexandra Alexandria Alison Alyssa
    Becky Belinda Bianca Bridget Brooke Caitlin Cheyenne Claire Claudia Cristina Cristian Danny Darius Deanna
    Desiree Dominique Erik Felicia Felix Francis Gregg Gwendolyn Heidi Isabel Jaime Jasmin Jenna Jeremiah Jillian
    Joe Joanna Jodi Jody Kaitlin Karina Karla Kari Katrina Kellie Kerri Kerry Kirsten Kristi Kristy Latasha Lorenzo
    Mackenzie Malik Margarita Mariah Marisa Michaela Mindy Natalia Nicolas Priscilla Rachael Reginald Robyn Shaun
    Stacie Stuart Terrance Terrence Wyatt Yvette Hailey Kayleigh Makenzie Riley
"""
_NOT_SURNAMES = """
    Syndrome Disease Disorder Sign Test Score Scale Index Criteria Classification Method Model Murmur Reaction
    Anomaly Malformation Phenomenon Hospital University Institute Foundation Center Centre College Clinic Clinics
    School Medical Memorial Health Study Trial Group Library Laboratory Laboratories Database Collaboration Network
    Society Association Cancer Inventory Questionnaire Checklist And Or The In Of For With Was Is Has Had Who Said
    Says Were From At On By January February March April May June July August September October November December
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday Island County City State Street Road Avenue Press Award
    Prize Day Park Company Zika Virus Vaccine Hospitals Report Review Rating Depression Anxiety Lung Breast Bay
    River Lake Beach Brain Atlas Zeiss Wiley Critical Care Physical Leone
"""
GIVEN = frozenset(_GIVEN.split())
"""Common given names (US census 1990 and some others) but for those that are everyday words or places too."""

NOT_SURNAMES = frozenset(_NOT_SURNAMES.split())
"""Capitalised words that follow a given name without being a family name."""

THINGS = (
    r"(?:syndromes?|diseases?|disorders?|signs?|tests?|scores?|scales?|ind(?:ex|ices)|criteria|classification|methods?|"
    r"models?|murmur|reactions?|anomal(?:y|ies)|malformations?|phenomenon|procedures?|operation|technique|equation|"
    r"formula|hospitals?|university|institutes?|foundation|cent(?:er|re)s?|college|clinics?|school|laborator(?:y|ies)|"
    r"medical|memorial|health|stud(?:y|ies)|trials?|group|librar(?:y|ies)|inventory|questionnaire|checklist|award|prize|"
    r"lecture|cells?|rats?|mice|mouse|virus|vaccine|palsy|tumou?rs?|dystrophy|neuropathy|deficiency|catheter|tube)"
)
"""Words after a name that show an eponym or an institution, not a patient."""


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


def find_phi(text: str) -> Iterator[Hit]:
    """Every finding in a text, by kind; two patterns of one kind do not count the same place twice."""
    joined = join(text)
    taken: set[tuple[str, int]] = set()
    for pattern in _PATTERNS:
        for found in pattern.regex.finditer(joined):
            places = {(pattern.kind, k) for k in range(found.start(), found.end())}
            if not places & taken and pattern.holds(found):
                taken |= places
                yield Hit(pattern.kind, pattern.strength, found.start(), found.end())
