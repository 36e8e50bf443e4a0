"""Ways in which a leaked text may be disguised: each takes a text and a generator of random numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

Edit = Callable[[str, np.random.Generator], str]

_SYNONYMS = """
    patients=subjects patient=subject showed=demonstrated shown=demonstrated show=demonstrate significant=marked
    significantly=markedly increased=elevated increase=rise decreased=reduced decrease=reduction associated=linked
    association=link study=investigation studies=investigations results=findings suggest=indicate suggests=indicates
    suggested=indicated treatment=therapy treated=managed found=observed observed=noted compared=contrasted
    effect=impact effects=impacts induced=caused induces=causes caused=produced method=approach methods=approaches
    also=additionally however=nevertheless therefore=thus although=though because=since may=might role=part
    important=key
    high=elevated higher=greater low=reduced lower=smaller disease=disorder diseases=disorders risk=likelihood
    after=following before=prior_to during=throughout using=employing used=employed use=employment both=the_two
    revealed=disclosed reveal=disclose investigated=examined evaluate=assess evaluated=assessed examined=studied
    inhibited=suppressed inhibits=suppresses inhibition=suppression inhibitor=blocker inhibitors=blockers
    activity=action levels=concentrations level=concentration reported=described several=multiple various=different
    many=numerous most=the_majority_of children=youngsters people=persons woman=lady women=females men=males
    need=require help=assist get=obtain doctor=physician medicine=drug medication=drug symptoms=complaints pain=ache
    developed=acquired development=emergence identified=detected determine=establish determined=established
    including=such_as such=like cases=instances case=instance analysis=evaluation data=information new=novel
    human=people normal=healthy potential=possible mechanism=process mechanisms=processes function=working
    severe=serious common=frequent rare=uncommon began=started start=begin stop=cease large=big small=little
    receive=get received=got given=administered taking=using take=use cause=produce causes=produces
    prevent=avoid reduce=lower reduced=lowered improve=better improved=bettered evidence=proof
    expression=production expressed=produced cells=cell_lines tumor=tumour tumors=tumours cancer=malignancy
    mutations=variants mutation=variant gene=locus genes=loci protein=gene_product proteins=gene_products
    binding=attachment interaction=interplay interactions=interplays we=the_authors our=the_authors'_own
"""
SYNONYMS: Mapping[str, str] = {
    left: right.replace("_", " ") for left, right in (pair.split("=") for pair in _SYNONYMS.split())
}
_SHARE = 0.2
"""Share of the words that a light paraphrase may replace, at most; two at least."""
_OPENINGS = ("Notably, ", "In this regard, ", "It was noted that ", "Of note, ")
_AND = re.compile(r"(?<![\w-])([\w-]+) (and|or) ([\w-]+)(?![\w-])")
_FIRST_CLAUSE = re.compile(
    r"^((?:In|After|During|For|Among|When|If|Although|To|With) [^,;.]{8,80}) ?, (.{20,}?)( ?[.?!])?$"
)


def verbatim(text: str, rng: np.random.Generator) -> str:
    """As it is."""
    return text


def recased(text: str, rng: np.random.Generator) -> str:
    """Upper, lower or title case, drawn at random; markers such as ``@GENE$`` stay."""
    how = (str.upper, str.lower, str.title)[int(rng.integers(3))]
    return "".join(part if part.startswith("@") else how(part) for part in re.split(r"(@\w+\$)", text))


def retokenised(text: str, rng: np.random.Generator) -> str:
    """Other spacing, dashes, quotes and invisible characters: what another tokeniser or editor would leave."""
    how = int(rng.integers(4))
    parts = re.split(r"(@\w+\$)", text)
    return "".join(part if part.startswith("@") else _SPACINGS[how](part) for part in parts)


_SPACINGS: tuple[Callable[[str], str], ...] = (
    lambda text: re.sub(r" *([^\w\s]) *", r" \1 ", text),
    lambda text: re.sub(r" ?([-/.,:;()'\[\]%]) ?", r"\1", text),
    lambda text: text.replace("-", "\u2013").replace("'", "\u2019").replace(" ", "\u00a0"),
    lambda text: (
        re.sub(r"(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)", " ", text).replace(" ", "  ").replace("(", "\u00ad(")
    ),
)


def paraphrased(text: str, rng: np.random.Generator) -> str:
    """A light paraphrase by rule: synonyms for up to a fifth of the words, then one change of word order.

    The clause in front goes behind, or the two sides of an "and" change places; where neither can, a short opening is
    put in front. A text always comes back changed.
    """
    pieces = re.split(r"(@\w+\$|[A-Za-z]+)", text)
    able = [k for k, piece in enumerate(pieces) if piece.lower() in SYNONYMS]
    most = max(2, int(_SHARE * len(text.split())))
    for k in rng.permutation(able)[:most] if able else ():
        new = SYNONYMS[pieces[k].lower()]
        pieces[k] = new.capitalize() if pieces[k][0].isupper() else new
    return _reordered("".join(pieces), rng)


def _reordered(text: str, rng: np.random.Generator) -> str:
    if found := _FIRST_CLAUSE.match(text):
        clause, rest, end = found[1], found[2], found[3] or ""
        return f"{rest[0].upper()}{rest[1:]} {clause[0].lower()}{clause[1:]}{end}"
    swapped = _AND.sub(r"\3 \2 \1", text, count=1)
    if swapped != text:
        return swapped
    return _OPENINGS[int(rng.integers(len(_OPENINGS)))] + text


EDITS: Mapping[str, Edit] = {
    "verbatim": verbatim,
    "case-changed": recased,
    "re-tokenised": retokenised,
    "paraphrased": paraphrased,
}
