"""The sets of the suite ``clinicalgpt``: where they are published, what they may be used for, how they are read.

ClinicalGPT (Wang et al., 2306.09968) is evaluated on medical knowledge, examinations, consultation and diagnosis. Its
own record set MD-EHR is not public; diagnosis is therefore asked on an open set of case files. Its sets are Chinese;
the English ones that are open stand beside them.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from clinsynth.core import NotPreparedError, RawFiles, Source
from clinsynth.data import MissingSourceError, check, download, unpack
from clinsynth.data.formats import fault

Area = Literal["knowledge", "exams", "consultation", "diagnosis"]
Kind = Literal["choice", "text", "diagnosis"]
_GITHUB = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a set."""

    doc: dict[str, Any]
    """In lm-eval's own form where lm-eval has the set: its prompt then is the one that is used."""
    prompt: str
    """The question, where lm-eval has none."""
    options: tuple[str, ...] = ()
    """The options of a multiple-choice question."""
    answer: int = 0
    """Which of them is right."""
    references: tuple[str, ...] = ()
    """Good answers, where it is a text or a diagnosis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteSet:
    """One set, pinned."""

    name: str
    title: str
    area: Area
    kind: Kind
    read: Callable[[RawFiles], Iterator[Item]]
    sources: tuple[Source, ...]
    licence: str
    homepage: str
    lm_eval: str = ""
    """lm-eval's own task, whose prompt is used; empty where it has none that works without a network."""
    language: Literal["en", "zh"] = "en"
    max_tokens: int = 32
    instruction: str
    """The instruction before the question."""
    notes: tuple[str, ...] = ()


def _json_lines(files: RawFiles, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with files.open(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, json.loads(line)


def read_table(files: RawFiles, path: str) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a head."""
    csv.field_size_limit(sys.maxsize)
    with files.open(path) as stream:
        yield from csv.DictReader(stream)


_LETTERS = "ABCDE"


def _medqa(files: RawFiles) -> Iterator[Item]:
    path = "phrases_no_exclude_test.jsonl"
    for number, row in _json_lines(files, path):
        options = tuple(row["options"][letter] for letter in "ABCD")
        if row["answer"] not in options:
            raise fault(path, number, "the answer is none of the options")
        right = options.index(row["answer"])
        doc = {"sent1": row["question"], **{f"ending{k}": text for k, text in enumerate(options)}, "label": right}
        yield Item(doc, "", options, right)


def _medmcqa(files: RawFiles) -> Iterator[Item]:
    for _, row in _json_lines(files, "dev.json"):
        keys = ("opa", "opb", "opc", "opd")
        right = int(row["cop"]) - 1
        doc = {"question": row["question"], **{key: row[key] for key in keys}, "cop": right}
        yield Item(doc, "", tuple(str(row[key]) for key in keys), right)


def _mcmle(files: RawFiles) -> Iterator[Item]:
    path = "test.jsonl"
    for number, row in _json_lines(files, path):
        letters = sorted(row["options"])
        options = tuple(str(row["options"][letter]) for letter in letters)
        if row["answer"] not in options:
            raise fault(path, number, "the answer is none of the options")
        shown = "\n".join(f"{letter}. {text}" for letter, text in zip(letters, options, strict=True))
        yield Item({}, f"{row['question']}\n{shown}\n答案：", options, options.index(row["answer"]))


def _pubmedqa(files: RawFiles) -> Iterator[Item]:
    with files.open("test_ground_truth.json") as stream:
        truth: dict[str, str] = json.load(stream)
    with files.open("ori_pqal.json") as stream:
        rows: dict[str, dict[str, Any]] = json.load(stream)
    options = ("yes", "no", "maybe")
    for key, answer in truth.items():
        row = rows[key]
        doc = {"QUESTION": row["QUESTION"], "CONTEXTS": row["CONTEXTS"], "final_decision": answer}
        yield Item(doc, "", options, options.index(answer))


def _mts_dialog(files: RawFiles) -> Iterator[Item]:
    for row in read_table(files, "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv"):
        yield Item({}, f"{row['dialogue'].strip()}\n\nNote:", references=(row["section_text"].strip(),))


def _aci_bench(files: RawFiles) -> Iterator[Item]:
    for row in read_table(files, "clinicalnlp_taskB_test1.csv"):
        yield Item({}, f"{row['dialogue'].strip()}\n\nNote:", references=(row["note"].strip(),))


def _cmedqa2(files: RawFiles) -> Iterator[Item]:
    wanted = dict.fromkeys(row["question_id"] for row in read_table(files, "test_candidates.zip"))
    questions = {row["question_id"]: row["content"] for row in read_table(files, "question.zip")}
    answers: dict[str, list[str]] = defaultdict(list)
    for row in read_table(files, "answer.zip"):
        if row["question_id"] in wanted:
            answers[row["question_id"]].append(row["content"].strip())
    for key in wanted:
        if key in questions and answers[key]:
            yield Item({}, f"{questions[key].strip()}\n回答：", references=tuple(answers[key]))


def _meddialog(files: RawFiles) -> Iterator[Item]:
    with files.open("english-test.json") as stream:
        rows: list[dict[str, Any]] = json.load(stream)
    for row in rows:
        said = [str(part) for part in row["utterances"]]
        doctor = [part.split(":", 1)[1].strip() for part in said if part.lower().startswith("doctor:")]
        patient = [part.split(":", 1)[1].strip() for part in said if part.lower().startswith("patient:")]
        if doctor and patient:
            asked = "\n".join(dict.fromkeys([str(row.get("description", "")).strip(), patient[0]]))
            yield Item({}, f"{asked.strip()}\n\nDoctor:", references=(doctor[0],))


def _agentclinic(files: RawFiles) -> Iterator[Item]:
    for _, row in _json_lines(files, "agentclinic_medqa_extended.jsonl"):
        case = row["OSCE_Examination"]
        parts = ("Patient_Actor", "Physical_Examination_Findings", "Test_Results")
        shown = "\n".join(line for part in parts if part in case for line in _outline(part, case[part], 0))
        yield Item({}, f"{shown}\n\nDiagnosis:", references=(str(case["Correct_Diagnosis"]),))


def _outline(name: str, value: Any, depth: int) -> Iterator[str]:
    """A nested case file as indented lines."""
    head = f"{'  ' * depth}{name.replace('_', ' ')}:"
    if isinstance(value, dict):
        yield head
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType] - JSON
            yield from _outline(str(key), inner, depth + 1)  # pyright: ignore[reportUnknownArgumentType] - JSON
    elif isinstance(value, list):
        yield f"{head} {'; '.join(map(str, value))}"  # pyright: ignore[reportUnknownArgumentType] - JSON
    else:
        yield f"{head} {value}"


_LETTER = "Answer the question with the letter of one option and nothing else."
_MIRAGE = f"{_GITHUB}/Teddy-XiongGZ/MIRAGE/392943af99cd94cafd50a0de2e7fca24bbf65494/rawdata"
_CMEDQA = f"{_GITHUB}/zhangsheng93/cMedQA2/85feb9278c3ae552c591205cbf3e828368c91f8f"
_NOTE = "Write the part of the clinical note that this conversation between doctor and patient gives rise to."

SETS: dict[str, SuiteSet] = {
    each.name: each
    for each in (
        SuiteSet(
            name="pubmedqa", title="PubMedQA (expert-labelled test half)", area="knowledge", kind="choice",
            read=_pubmedqa, lm_eval="pubmedqa",
            sources=(
                Source("ori_pqal.json", ("test",),
                       f"{_GITHUB}/pubmedqa/pubmedqa/1cbae8e92f72f20c8d3747cbb3bf5bc53554d997/data/ori_pqal.json",
                       sha256="8b3276be8942ebbd77f3ddcda12c1749bf0e490045a736fd8438ee40cf37a41d"),
                Source("test_ground_truth.json", ("test",),
                       f"{_GITHUB}/pubmedqa/pubmedqa/1cbae8e92f72f20c8d3747cbb3bf5bc53554d997/data/test_ground_truth.json",
                       sha256="939fe566f09017d13b1ca64d2ddfee0bc2374b366048152997669cccedc44d51"),
            ),
            licence="MIT", homepage="https://github.com/pubmedqa/pubmedqa",
            instruction="Answer the question about the abstract with yes, no or maybe and nothing else.",
        ),
        SuiteSet(
            name="cmedqa2", title="cMedQA2", area="knowledge", kind="text", read=_cmedqa2, language="zh",
            sources=(
                Source("question.zip", ("test",), f"{_CMEDQA}/question.zip",
                       git_blob="d2a52ca01f33b513b00c6c110dc963d69c716130"),
                Source("answer.zip", ("test",), f"{_CMEDQA}/answer.zip",
                       git_blob="592508bb7500a3656ea76cf817009d4625acd83d"),
                Source("test_candidates.zip", ("test",), f"{_CMEDQA}/test_candidates.zip",
                       git_blob="ca296d4135ebf93906616f3601042bc5264ab330"),
            ),
            licence="GPL-3.0 (repository); for non-commercial research (its page)",
            homepage="https://github.com/zhangsheng93/cMedQA2", max_tokens=256,
            instruction="请回答患者的问题。",
            notes=("All answers given to a question are references.",),
        ),
        SuiteSet(
            name="medqa", title="MedQA (USMLE, 4 options)", area="exams", kind="choice", read=_medqa,
            lm_eval="medqa_4options",
            sources=(
                Source("phrases_no_exclude_test.jsonl", ("test",),
                       f"{_MIRAGE}/medqa/data_clean/questions/US/4_options/phrases_no_exclude_test.jsonl",
                       sha256="c3b905ccfa66152dc25afbcb2c10e86c0bdb208824f0658fcdb2c040f60a2beb"),
            ),
            licence="MIT", homepage="https://github.com/jind11/MedQA", instruction=_LETTER,
        ),
        SuiteSet(
            name="medmcqa", title="MedMCQA (dev: the test labels are hidden)", area="exams", kind="choice",
            read=_medmcqa, lm_eval="medmcqa",
            sources=(Source("dev.json", ("test",), f"{_MIRAGE}/medmcqa/data/dev.json",
                            sha256="a2b5f53890f4e742b728378fb847bc5338088d48ea01218676379f587270af31"),),
            licence="MIT", homepage="https://github.com/medmcqa/medmcqa", instruction=_LETTER,
        ),
        SuiteSet(
            name="mcmle", title="MedQA (mainland China, 4 options)", area="exams", kind="choice", read=_mcmle,
            language="zh",
            sources=(Source("test.jsonl", ("test",)),),
            licence="MIT (repository)", homepage="https://github.com/jind11/MedQA",
            instruction="请回答下面的单项选择题，只写出一个选项的字母。",
            notes=("Handed out by its authors through a file host; bring questions/Mainland/4_options/test.jsonl.",),
        ),
        SuiteSet(
            name="mts-dialog", title="MTS-Dialog (test set 1)", area="consultation", kind="text", read=_mts_dialog,
            sources=(
                Source("MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv", ("test",),
                       f"{_GITHUB}/abachaa/MTS-Dialog/3ff0801933608d6f570468c13125125fb5cabdea/Main-Dataset/"
                       "MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv",
                       sha256="b4d38dd2c99b2e9860099abcf653f1e0f3e9b69f9fcc45be2a2699b37a4d2f37"),
            ),
            licence="CC BY 4.0", homepage="https://github.com/abachaa/MTS-Dialog", max_tokens=256, instruction=_NOTE,
            notes=("lm-eval's own mts_dialog downloads its metrics when it is loaded: its data are read here.",),
        ),
        SuiteSet(
            name="aci-bench", title="ACI-BENCH (test 1)", area="consultation", kind="text", read=_aci_bench,
            sources=(
                Source("clinicalnlp_taskB_test1.csv", ("test",),
                       f"{_GITHUB}/wyim/aci-bench/b909b2bb9cf1d19de08df15cddde7bd0179665e4/data/challenge_data/"
                       "clinicalnlp_taskB_test1.csv",
                       sha256="5cc4008e68545f84913744a8e493a58bdf17ba7e1b7a0be46d6943d6bfca9471"),
            ),
            licence="CC BY 4.0", homepage="https://github.com/wyim/aci-bench", max_tokens=768,
            instruction="Write the full clinical note of this conversation between doctor and patient.",
        ),
        SuiteSet(
            name="meddialog", title="MedDialog (English, processed)", area="consultation", kind="text",
            read=_meddialog, sources=(Source("english-test.json", ("test",)),),
            licence="none stated", homepage="https://github.com/UCSD-AI4H/Medical-Dialogue-System", max_tokens=256,
            instruction="Answer the patient as a doctor would.",
            notes=("Handed out by its authors through a file host; bring english-test.json.",
                   "The first question of the patient, and the doctor's first answer to it."),
        ),
        SuiteSet(
            name="agentclinic", title="AgentClinic-MedQA, extended: case files", area="diagnosis", kind="diagnosis",
            read=_agentclinic,
            sources=(
                Source("agentclinic_medqa_extended.jsonl", ("test",),
                       f"{_GITHUB}/SamuelSchmidgall/AgentClinic/b6570edefb940857a7c334350656b29f9d984f24/"
                       "agentclinic_medqa_extended.jsonl",
                       sha256="54a024eb2705c6c55d1988766adf4ab02ea7bbe2a28f843107b740032200f232"),
            ),
            licence="MIT", homepage="https://github.com/SamuelSchmidgall/AgentClinic", max_tokens=48,
            instruction="Name the one diagnosis that explains this patient's record, and nothing else.",
            notes=("Stands in for MD-EHR, which is not public: 214 structured case files made from MedQA's questions, "
                   "so neither real records nor independent of the set medqa.",
                   "History, findings and test results are shown whole; nothing is to be asked for."),
        ),
    )
}  # fmt: skip
"""In the order of the suite."""


class SuiteFiles:
    """The files of one set, as its reader sees them (``RawFiles``)."""

    def __init__(self, name: str, sources: Sequence[Source], source_dir: Path | None, raw_dir: Path) -> None:
        """Look in ``source_dir/<name>`` first; without a ``source_dir``, in ``raw_dir/<name>`` and on the network."""
        self._name = name
        self._sources = {source.path: source for source in sources}
        self._from = source_dir
        self._raw = raw_dir / name
        self.digests: dict[str, str] = {}
        """sha256 of the unpacked content of every file that was opened."""

    def open(self, path: str) -> IO[str]:
        """A verified file as UTF-8 text; of a zip archive, the one file that is in it.

        Raises:
            NotPreparedError: it is not here and cannot be had.
            UserError: it is not the published file.
        """
        source = self._sources[path]
        place = self._find(source) or self._download(source)
        content = unpack(place)
        self.digests[path] = check(content, source, str(place))
        if path.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                inside = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
                content = archive.read(inside[0])
        # Byte order marks: several of these files come from spreadsheets.
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")

    def _find(self, source: Source) -> Path | None:
        folder = self._from / self._name if self._from is not None else self._raw
        places = (folder / f"{source.path}{suffix}" for suffix in ("", ".gz"))
        return next((place for place in places if place.is_file()), None)

    def _download(self, source: Source) -> Path:
        if self._from is not None or not source.url:
            folder = self._from / self._name if self._from is not None else self._raw
            raise NotPreparedError(
                f"{source.path} of {self._name} is not in {folder}",
                remedy=f"published at {source.url}" if source.url else "it must be brought by you: docs/suites.md",
            )
        self._raw.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".download-", dir=self._raw))
        try:
            got = download(source.url, folder)
            check(got.read_bytes(), source, source.url)
            got.chmod(0o644)
            got.replace(self._raw / source.path)
        except MissingSourceError as error:
            raise NotPreparedError(str(error), remedy="give --from a folder that holds it") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._raw / source.path
