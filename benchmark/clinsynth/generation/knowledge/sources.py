"""Where names come from: each source read from its published form into a ``NameTable``."""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from clinsynth.core import EntityKind, Source, UserError
from clinsynth.data import check, download, unpack
from clinsynth.generation.knowledge.names import LISTS, PAIRS, Collector, NameTable, Pair, Relation

MOST_PAIRS = 200_000
"""Pairs kept of each relation: iBKH has millions, and nobody writes that many rows."""

NODES = Source(
    "hetionet-v1.0-nodes.tsv",
    (),
    "https://raw.githubusercontent.com/hetio/hetionet/8a6cc0c5604d0e2908786e4de38af67b8e46ee4a/"
    "hetnet/tsv/hetionet-v1.0-nodes.tsv",
    sha256="3ad9eb86c031df8bc7d5efefa6edc93562182eb9a6a71e5129d3f18b9d42c50e",
)
EDGES = "hetionet-v1.0-edges.sif"


def builtin() -> NameTable:
    """The lists that come along: common names and well-known relations."""
    took = Collector()
    kinds: tuple[EntityKind, ...] = ("disease", "chemical", "gene", "symptom")
    for kind in kinds:
        for name in _lines(LISTS / f"{kind}.txt"):
            took.keep(kind, name)
    known = took.table("").by_kind
    for line in _lines(LISTS / "pairs.tsv"):
        first, second, one, other = line.split("\t")
        pair = next(p for p in PAIRS if p == (first, second))
        if one not in known[pair[0]] or other not in known[pair[1]]:
            raise AssertionError(f"pairs.tsv: {line!r} names what is not in the lists")
        took.relate(pair, one, other)
    return took.table("builtin 1")


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line


# --- Hetionet ---------------------------------------------------------------------------------------------------------

_HETIONET_EDGES: Mapping[str, tuple[Pair, Relation]] = {
    "CtD": (("chemical", "disease"), ""),
    "CpD": (("chemical", "disease"), ""),
    "CcSE": (("chemical", "symptom"), "causes"),
    "DaG": (("gene", "disease"), ""),
    "CbG": (("chemical", "gene"), ""),
    "CuG": (("chemical", "gene"), "upregulates"),
    "CdG": (("chemical", "gene"), "downregulates"),
    "DpS": (("disease", "symptom"), ""),
}
_PROCESSES = ("Biological Process", "Pathway")
_DISORDER = re.compile(
    r"(?:itis|osis|oma|emia|aemia|pathy|trophy|plegia|penia|syndrome|disease|disorder|cancer|carcinoma|infection|"
    r"deficiency|failure|infarction|haemorrhage|hemorrhage|thrombosis|embolism|neoplasm|ulcer|dystonia|diabetes|"
    r"toxicity|stenosis|arrest|hypertension|hypotension|block|abscess|sepsis|pneumonia|leukaemia|lymphoma|epilepsy)$",
    re.IGNORECASE,
)
"""Endings by which a side effect is taken for a disease: Hetionet has only 137 nodes of that kind."""


_MEASURED = re.compile(
    r"\b(?:increased|decreased|prolonged|shortened|abnormal|abnormality|normal|positive|negative|test|count|level|levels|"
    r"present|procedure|therapy|surgery|operation|accident|administration|site|drug|injury|exposure|transplant|pregnancy|"
    r"body weight|blood pressure|manifestations?|NOS|aggravated)\b",
    re.IGNORECASE,
)
"""Side effects that are findings of a laboratory or events rather than what a patient has."""


def hetionet(folder: Path | None, work: Path) -> NameTable:
    """Hetionet's nodes, and its edges where the user has put them beside.

    Args:
        folder: where the files lie; ``None`` to download the nodes (the edges are kept in Git LFS and never fetched).
        work: a folder for the download.

    Raises:
        UserError: no nodes file there, or not the published one.
        MissingSourceError: the download failed.
    """
    place = _find(folder, NODES.path) if folder else download(NODES.url, work)
    if place is None:
        raise UserError(
            f"no {NODES.path} in {folder}",
            expected=f"{NODES.path} or {NODES.path}.gz, from {NODES.url}",
            remedy="leave --from out to download it",
        )
    content = unpack(place)
    digest = check(content, NODES, str(place))
    took = Collector()
    names: dict[str, tuple[EntityKind, str]] = {}
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    for row in rows:
        kind = _hetionet_kind(row["kind"].strip(), row["name"].strip())
        if kind and (name := took.add(kind, row["name"])):
            names[row["id"]] = kind, name
        elif kind is None and row["kind"].strip() in ("Symptom", "Side Effect"):
            took.dropped["symptom: a measurement or an event"] += 1
        elif row["kind"].strip() in _PROCESSES:
            took.process(row["name"].strip())
    edges = _find(folder, EDGES) if folder else None
    if edges is not None:
        digest = hashlib.sha256((digest + _relate_hetionet(took, names, edges)).encode()).hexdigest()
    return took.table(f"hetionet v1.0{'' if edges else ', nodes only'}", digest)


def _hetionet_kind(kind: str, name: str) -> EntityKind | None:
    if kind in ("Symptom", "Side Effect") and _MEASURED.search(name):
        return None
    if kind in ("Symptom", "Side Effect"):
        return "disease" if _DISORDER.search(name) else "symptom"
    known: dict[str, EntityKind] = {"Disease": "disease", "Compound": "chemical", "Gene": "gene"}
    return known.get(kind)


def _relate_hetionet(took: Collector, names: Mapping[str, tuple[EntityKind, str]], path: Path) -> str:
    """Take the edges between usable names; gives the sha256 of the file as it is stored."""
    with _opened(path) as stream:
        for line in stream:
            source, meta, target = line.rstrip("\r\n").split("\t")
            if meta in _HETIONET_EDGES and source in names and target in names:
                ends = dict([names[source], names[target]])
                pair, relation = _HETIONET_EDGES[meta]
                if meta == "CcSE" and "disease" in ends:
                    pair = ("chemical", "disease")
                if set(ends) == set(pair):
                    took.relate(pair, ends[pair[0]], ends[pair[1]], relation)
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest()


def _find(folder: Path, name: str) -> Path | None:
    places = (base / f"{name}{suffix}" for base in (folder, folder / "hetionet") for suffix in ("", ".gz"))
    return next((place for place in places if place.is_file()), None)


# --- iBKH -------------------------------------------------------------------------------------------------------------

_VOCABULARIES: Mapping[str, tuple[EntityKind, str]] = {
    "disease_vocab.csv": ("disease", "name"),
    "drug_vocab.csv": ("chemical", "name"),
    "gene_vocab.csv": ("gene", "symbol"),
    "symptom_vocab.csv": ("symptom", "name"),
    "side_effect_vocab.csv": ("symptom", "name"),
}


@dataclass(frozen=True, slots=True)
class _Relation:
    pair: Pair
    columns: tuple[str, str]
    """The columns of the two identifiers, in the order of ``pair``."""
    flags: tuple[str, ...] = ()
    """Columns of which one must be 1; without any, each row counts. Relations merely inferred are left out."""
    means: Relation = ""
    """How the two belong together, where no flag says so."""


_RELATIONS: Mapping[str, _Relation] = {
    "D_Di_res.csv": _Relation(("chemical", "disease"), ("Drug", "Disease"), ("Treats", "Palliates")),
    "D_SE_res.csv": _Relation(("chemical", "symptom"), ("Drug", "Side_Effect"), means="causes"),
    "Di_G_res.csv": _Relation(("gene", "disease"), ("Gene", "Disease"), ("Associate",)),
    "D_G_res.csv": _Relation(
        ("chemical", "gene"), ("Drug", "Gene"), ("Target", "Enzyme", "Transporter", "Upregulates", "Downregulates")
    ),
    "Di_Sy_res.csv": _Relation(("disease", "symptom"), ("Disease", "Symptom")),
}
_FLAGS: Mapping[str, Relation] = {"Upregulates": "upregulates", "Downregulates": "downregulates"}


def ibkh(folder: Path | None, work: Path) -> NameTable:
    """IBKH's tables as they are published: ``entity/*_vocab.csv``, ``relation/*_res.csv``.

    Raises:
        UserError: no vocabulary of diseases or drugs there, or one without the published columns.
    """
    if folder is None:
        raise UserError(
            "iBKH must be brought by you: its publisher's site serves people only",
            remedy="download its entities and relations (https://github.com/wcm-wanglab/iBKH), unpack them, and say "
            "clinsynth knowledge ibkh --from DIR",
        )
    took = Collector()
    names: dict[str, str] = {}
    read: list[tuple[str, str]] = []
    for file, (kind, column) in _VOCABULARIES.items():
        path = _beside(folder, "entity", file)
        if path is None:
            if file in ("disease_vocab.csv", "drug_vocab.csv"):
                raise UserError(f"no {file} in {folder}", expected=f"{folder}/entity/{file}, as iBKH publishes it")
            continue
        read.append((file, _sha256(path)))
        for row in _table(path, ("primary", column)):
            if name := took.add(kind, row[column] or ""):
                names[row["primary"]] = name
    for file, relation in _RELATIONS.items():
        path = _beside(folder, "relation", file)
        if path is not None:
            read.append((file, _sha256(path)))
            _relate_ibkh(took, names, path, relation)
    digest = hashlib.sha256("\n".join(f"{d}  {f}" for f, d in sorted(read)).encode()).hexdigest()
    return took.table(f"ibkh, {len(read)} files", digest)


def _relate_ibkh(took: Collector, names: Mapping[str, str], path: Path, relation: _Relation) -> None:
    first, second = relation.columns
    kept = 0
    for row in _table(path, relation.columns):
        flags = [flag for flag in relation.flags if str(row.get(flag) or "").strip() in ("1", "1.0")]
        if relation.flags and not flags:
            continue
        if row[first] in names and row[second] in names:
            kept += 1
            if kept > MOST_PAIRS:
                took.dropped[f"{relation.pair[0]}-{relation.pair[1]}: pairs beyond {MOST_PAIRS:,}"] += 1
            else:
                meanings: set[Relation] = {_FLAGS.get(flag, "") for flag in flags} or {relation.means}
                for meant in sorted(meanings):
                    took.relate(relation.pair, names[row[first]], names[row[second]], meant)


def _table(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    with _opened(path) as stream:
        rows = csv.DictReader(stream)
        columns = [name.strip() for name in rows.fieldnames or ()]
        if missing := [name for name in needed if name not in columns]:
            raise UserError(f"{path} lacks {', '.join(missing)}", found=", ".join(columns)[:200] or "no columns",
                            expected="the columns that iBKH publishes")  # fmt: skip
        rows.fieldnames = columns
        yield from rows


def _beside(folder: Path, part: str, file: str) -> Path | None:
    bases = (folder / part, folder / part.capitalize(), folder)
    return next((b / f"{file}{s}" for b in bases for s in ("", ".gz") if (b / f"{file}{s}").is_file()), None)


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- ICD-10-CM --------------------------------------------------------------------------------------------------------

_VAGUE = re.compile(
    r"\b(?:unspecified|other|others|elsewhere|encounter|classified|status|history|specified|following|NOS|not|"
    r"initial|subsequent|sequela|without|and|or|in|with|due|screening|complicating|stage)\b|[\[\]:;]",
    re.IGNORECASE,
)
"""Words of a classification rather than of a name."""


def icd10cm() -> NameTable:
    """The names of ICD-10-CM categories A to Q as diseases and R as symptoms, from the package simple-icd-10-cm.

    Raises:
        UserError: the package is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it reads its files in an old way
            icd: Any = importlib.import_module("simple_icd_10_cm")
    except ImportError:
        raise UserError("the names of ICD-10-CM are not installed", remedy="pip install simple-icd-10-cm") from None
    took = Collector()
    for code in icd.get_all_codes(True):
        if not re.fullmatch(r"[A-R]\d\w(?:\.\w)?", code):
            continue
        kind: EntityKind = "symptom" if code.startswith("R") else "disease"
        description = str(icd.get_description(code)).removesuffix(", unspecified").removesuffix(", NOS")
        if _VAGUE.search(description):
            took.dropped[f"{kind}: a class rather than a name"] += 1
        else:
            took.add(kind, description)
    metadata: Any = importlib.import_module("importlib.metadata")
    return took.table(f"icd10cm, simple-icd-10-cm {metadata.version('simple-icd-10-cm')}")
