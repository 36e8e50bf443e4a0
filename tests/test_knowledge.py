"""Sources of names: read from their published forms, cleaned, counted, and the same again after being kept."""

import csv
import gzip
import importlib.util
from pathlib import Path

import pytest

from clinsynth.cli import main
from clinsynth.core.errors import NotPreparedError, UnknownNameError, UserError
from clinsynth.core.nouns import EntityKind, Source
from clinsynth.core.registry import TASKS
from clinsynth.data.fetch import MissingSourceError
from clinsynth.generation.knowledge import KINDS, SOURCES, open_knowledge, prepare_knowledge, prepared_path, sources
from clinsynth.generation.knowledge.names import Collector, clean

RAW = Path(__file__).parents[2] / "shared" / "data" / "raw"
NODES = """id\tname\tkind
Disease::DOID:1\tAlzheimer's disease\tDisease
Disease::DOID:2\tlung cancer\tDisease
Compound::DB1\tDonepezil\tCompound
Compound::DB2\tCisplatin\tCompound
Compound::DB3\tcisplatin\tCompound
Gene::1\tTP53\tGene
Gene::2\tLOC100128088\tGene
Symptom::D1\tNeuralgia, Postherpetic\tSymptom
Side Effect::C1\tNausea\tSide Effect
Side Effect::C2\tPancreatitis\tSide Effect
Side Effect::C3\tBlood urea increased\tSide Effect
Anatomy::U1\tnose\tAnatomy
Biological Process::G1\tsprouting angiogenesis\tBiological Process
Biological Process::G2\theart looping\tBiological Process
"""
EDGES = """source\tmetaedge\ttarget
Compound::DB1\tCtD\tDisease::DOID:1
Compound::DB2\tCcSE\tSide Effect::C1
Compound::DB2\tCcSE\tSide Effect::C2
Disease::DOID:2\tDaG\tGene::1
Disease::DOID:2\tDaG\tGene::2
Anatomy::U1\tAeG\tGene::1
"""


@pytest.fixture
def small_hetionet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a Hetionet of a dozen nodes that passes for the published one."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "hetionet-v1.0-nodes.tsv").write_bytes(NODES.replace("\n", "\r\n").encode())
    monkeypatch.setattr(sources, "NODES", Source("hetionet-v1.0-nodes.tsv", (), "https://example.org/nodes.tsv"))
    return folder


def test_hetionet_is_read_by_kind(small_hetionet: Path, tmp_path: Path) -> None:
    table = prepare_knowledge("hetionet", small_hetionet, tmp_path)
    assert table.names("disease") == ("Alzheimer's disease", "lung cancer", "pancreatitis")
    assert table.names("chemical") == ("donepezil", "cisplatin")
    assert table.names("gene") == ("TP53",)
    assert table.names("symptom") == ("postherpetic neuralgia", "nausea")
    assert table.dropped == {"gene: no protein-coding symbol": 1, "symptom: a measurement or an event": 1}
    assert table.pairs("chemical", "disease") == []
    assert table.name.startswith("hetionet v1.0, nodes only (sha256 ")


def test_hetionets_edges_are_used_where_they_are(small_hetionet: Path, tmp_path: Path) -> None:
    without = prepare_knowledge("hetionet", small_hetionet, tmp_path)
    (small_hetionet / "hetionet-v1.0-edges.sif.gz").write_bytes(gzip.compress(EDGES.encode()))
    table = prepare_knowledge("hetionet", small_hetionet, tmp_path)
    assert table.pairs("chemical", "disease") == (("donepezil", "Alzheimer's disease"), ("cisplatin", "pancreatitis"))
    assert table.pairs("disease", "chemical")[0] == ("Alzheimer's disease", "donepezil")
    assert table.pairs("chemical", "symptom") == (("cisplatin", "nausea"),)
    assert table.pairs("gene", "disease") == (("TP53", "lung cancer"),)
    assert table.digest != without.digest
    assert table.of_label("cdr", "induces") == (("cisplatin", "nausea"), ("cisplatin", "pancreatitis"))
    assert without.of_label("cdr", "induces") == ()


def test_what_was_kept_is_what_was_read(small_hetionet: Path, tmp_path: Path) -> None:
    table = prepare_knowledge("hetionet", small_hetionet, tmp_path)
    again = open_knowledge("hetionet", tmp_path)
    assert (again.name, again.digest, again.dropped) == (table.name, table.digest, table.dropped)
    assert all(again.names(kind) == table.names(kind) for kind in KINDS)
    assert again.by_label == table.by_label == {("hoc", "inducing angiogenesis"): (("sprouting angiogenesis",),)}
    assert open_knowledge("auto", tmp_path).name == table.name


def test_another_file_is_not_hetionet(tmp_path: Path) -> None:
    (tmp_path / "hetionet-v1.0-nodes.tsv").write_text(NODES)
    with pytest.raises(UserError, match="is not the published file"):
        prepare_knowledge("hetionet", tmp_path, tmp_path)
    assert not prepared_path("hetionet", tmp_path).exists()


def test_a_folder_without_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no hetionet-v1\.0-nodes\.tsv in"):
        prepare_knowledge("hetionet", tmp_path, tmp_path)


def test_a_failed_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    def fails(url: str, folder: Path) -> Path:
        raise MissingSourceError(f"download of {url} failed")

    monkeypatch.setattr(sources, "download", fails)
    assert main(["knowledge", "hetionet", "--data-dir", str(tmp_path)]) == 2
    assert "--from DIR" in capsys.readouterr().err


@pytest.mark.skipif(not (RAW / "hetionet").is_dir(), reason=f"no real files in {RAW}")
def test_the_published_hetionet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["knowledge", "hetionet", "--from", str(RAW), "--data-dir", str(tmp_path)]) == 0
    table = open_knowledge("auto", tmp_path)
    counts = {kind: len(table.names(kind)) for kind in KINDS}
    assert counts["chemical"] == 1552
    assert counts["gene"] > 15_000
    assert counts["disease"] > 1_000
    assert all(len(table.of_label("hoc", label)) > 10 for label in TASKS["hoc"].spec.labels)
    assert f"gene: {counts['gene']:,} (" in capsys.readouterr().out


def write_csv(path: Path, *rows: tuple[object, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


@pytest.fixture
def small_ibkh(tmp_path: Path) -> Path:
    """iBKH's tables in small."""
    folder = tmp_path / "ibkh"
    write_csv(folder / "entity/disease_vocab.csv", ("primary", "name", "do_id"), ("DOID:1", "gout", ""),
              ("DOID:2", "asthma", ""), ("DOID:3", "a" * 60, ""))  # fmt: skip
    write_csv(folder / "entity/drug_vocab.csv", ("primary", "name"), ("DB1", "Allopurinol"), ("DB2", "Aspirin"))
    write_csv(folder / "entity/gene_vocab.csv", ("primary", "symbol"), ("HGNC:5", "A1BG"))
    write_csv(folder / "relation/D_G_res.csv", ("Drug", "Gene", "Target", "Upregulates", "Downregulates"),
              ("DB1", "HGNC:5", 1, 1, 0), ("DB2", "HGNC:5", 0, 0, 1))  # fmt: skip
    write_csv(folder / "relation/D_Di_res.csv", ("Drug", "Disease", "Treats", "Palliates", "Inferred_Relation"),
              ("DB1", "DOID:1", 1, 0, 0), ("DB2", "DOID:2", 0, 0, 1), ("DB1", "DOID:3", 1, 0, 0))  # fmt: skip
    return folder


def test_ibkh_is_read_as_published(small_ibkh: Path, tmp_path: Path) -> None:
    table = prepare_knowledge("ibkh", small_ibkh, tmp_path)
    assert table.names("disease") == ("gout", "asthma")
    assert table.names("chemical") == ("allopurinol", "aspirin")
    assert table.names("gene") == ("A1BG",)
    assert table.pairs("chemical", "disease") == (("allopurinol", "gout"),)
    assert table.pairs("chemical", "gene") == (("allopurinol", "A1BG"), ("aspirin", "A1BG"))
    assert table.of_label("chemprot", "CPR:3") == (("allopurinol", "A1BG"),)
    assert table.of_label("chemprot", "CPR:4") == (("aspirin", "A1BG"),)
    assert table.dropped == {"disease: not 3-40 characters": 1}
    assert open_knowledge("ibkh", tmp_path).names("disease") == table.names("disease")


def test_too_many_pairs_are_counted(small_ibkh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_PAIRS", 0)
    table = prepare_knowledge("ibkh", small_ibkh, tmp_path)
    assert table.dropped["chemical-disease: pairs beyond 0"] == 1


def test_what_is_not_ibkh_is_refused(small_ibkh: Path, tmp_path: Path) -> None:
    write_csv(small_ibkh / "entity/drug_vocab.csv", ("id", "name"), ("DB1", "x"))
    with pytest.raises(UserError, match="lacks primary"):
        prepare_knowledge("ibkh", small_ibkh, tmp_path)
    (small_ibkh / "entity/drug_vocab.csv").unlink()
    with pytest.raises(UserError, match=r"no drug_vocab\.csv"):
        prepare_knowledge("ibkh", small_ibkh, tmp_path)


def test_ibkh_cannot_be_downloaded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="brought by you"):
        prepare_knowledge("ibkh", None, tmp_path)
    with pytest.raises(NotPreparedError, match=r"clinsynth knowledge ibkh --from DIR"):
        open_knowledge("ibkh", tmp_path)


def test_the_builtin_lists_are_clean(tmp_path: Path) -> None:
    table = open_knowledge("auto", tmp_path)
    assert table.name.startswith("builtin 1 ")
    for kind in KINDS:
        found = table.names(kind)
        assert len(found) > 100
        assert len({name.lower() for name in found}) == len(found)
        assert all(name == name.strip() and 2 <= len(name) <= 40 for name in found)
    assert len(table.pairs("gene", "disease")) > 40
    assert set(table.pairs("chemical", "gene")[0]) <= {*table.names("chemical"), *table.names("gene")}


@pytest.mark.skipif(importlib.util.find_spec("simple_icd_10_cm") is None, reason="simple-icd-10-cm is not installed")
def test_icd10cm_gives_names_and_no_classes() -> None:
    table = open_knowledge("icd10cm")
    assert {"cholera", "type 2 diabetes mellitus"} <= set(table.names("disease"))
    assert "cough" in table.names("symptom")
    assert not table.names("gene")
    assert not [name for name in table.names("disease") if "unspecified" in name or "," in name]
    assert table.dropped["disease: a class rather than a name"] > 1_000


def test_without_its_package_icd10cm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "simple_icd_10_cm", None)
    with pytest.raises(UserError, match="pip install simple-icd-10-cm"):
        open_knowledge("icd10cm")


@pytest.mark.parametrize(
    ("raw", "kind", "name", "reason"),
    [
        ("Cyanocobalamin", "chemical", "cyanocobalamin", ""),
        ("Penicillin V", "chemical", "penicillin V", ""),
        ("ACTH", "chemical", "ACTH", ""),
        ("Alzheimer's disease", "disease", "Alzheimer's disease", ""),
        ("Crohn's Disease", "disease", "Crohn's disease", ""),
        ("Guillain-Barre syndrome", "disease", "Guillain-Barre syndrome", ""),
        ("Amnesia, Retrograde", "symptom", "retrograde amnesia", ""),
        ("HLA-B", "gene", "HLA-B", ""),
        ("MIR21", "gene", "", "no protein-coding symbol"),
        ("ab", "disease", "", "not 3-40 characters"),
        ("x" * 41, "disease", "", "not 3-40 characters"),
        ("cancer [of the lung]", "disease", "", "characters that names seldom have"),
        ("a, b, c", "disease", "", "characters that names seldom have"),
        ("half (open", "disease", "", "characters that names seldom have"),
    ],
)
def test_cleaning(raw: str, kind: EntityKind, name: str, reason: str) -> None:
    assert clean(raw, kind) == (name, reason)


def test_the_digest_is_that_of_the_names() -> None:
    tables: list[str] = []
    for names in (["gout"], ["gout"], ["asthma"]):
        took = Collector()
        for name in names:
            took.add("disease", name)
        tables.append(took.table("toy").digest)
    assert tables[0] == tables[1] != tables[2]


def test_unknown_and_broken(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean hetionet"):
        open_knowledge("hetionett", tmp_path)
    path = prepared_path("hetionet", tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b'{"name": "x"}\n'))
    with pytest.raises(UserError, match="prepare it again"):
        open_knowledge("auto", tmp_path)


def test_the_list_names_every_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["knowledge", "--data-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in SOURCES)
    assert "not prepared" in shown
