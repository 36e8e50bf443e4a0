"""The store: what is written, when nothing is, and what the user is told."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

import clinsynth.tasks
from clinsynth.core.errors import NotPreparedError, UserError
from clinsynth.core.nouns import Example, RawFiles, Source, Span, Split, Task, TaskSpec
from clinsynth.core.registry import TASKS, TASKS_DIR_VARIABLE
from clinsynth.data import fetch, manifest, store
from clinsynth.data.fetch import git_blob
from clinsynth.data.formats import count, json_fields
from clinsynth.data.samples import SampleStore, default_data_dir, few_shot, open_store
from clinsynth.data.store import DataStore, Outcome, prepare_all

NEVER_SHOWN = "hydralazine"
CONTENT = {
    "train": b'{"text": "good", "label": "yes"}\n{"text": "bad", "label": "no"}\n\n{"text": "", "label": "no"}\n',
    "test": b'{"text": "fine", "label": "yes"}\n',
}


def read(split: Split, files: RawFiles) -> Iterator[Example]:
    for _, row in json_fields(files, f"{split}.jsonl", ("text", "label")):
        if row["text"]:
            yield Example((row["text"],), labels=(row["label"],), unit="u")
        else:
            count("empty text: left out")


def source(split: Split, url: str = "") -> Source:
    return Source(f"{split}.jsonl", (split,), url, sha256=hashlib.sha256(CONTENT[split]).hexdigest())


SPEC = TaskSpec(
    name="toy", title="Toy", type="relation_extraction", description="Toy.", labels=("yes", "no"),
    label_descriptions={"yes": "yes", "no": "no"}, metric="accuracy", unit="document",
    sources=(source("train"), source("test")), rows={"train": 2, "test": 1}, licence="none", access="open",
    homepage="https://example.org", citation="",
)  # fmt: skip
TOY = Task(SPEC, read, Path())


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw" / "toy"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_bytes(CONTENT["train"])
    (folder / "test.jsonl.gz").write_bytes(gzip.compress(CONTENT["test"]))
    return folder.parent


@pytest.fixture
def data(tmp_path: Path) -> DataStore:
    return DataStore(tmp_path / "data")


def left_in(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_prepare_then_read(data: DataStore, raw: Path) -> None:
    report = data.prepare(TOY, raw)
    assert report.changed
    assert report.rows == {"train": 2, "test": 1}
    assert report.counted == {"train": {"empty text: left out": 1}, "test": {}}
    assert data.rows(TOY) == report.rows
    assert data.examples(TOY, "train") == [
        Example(("good",), labels=("yes",), unit="u"),
        Example(("bad",), labels=("no",), unit="u"),
    ]
    manifest = data.manifest(TOY)
    assert manifest
    assert manifest.sources == {
        f"{split}.jsonl": hashlib.sha256(content).hexdigest() for split, content in CONTENT.items()
    }
    assert not [path for path in left_in(data.root) if "/." in path], "no temporary file is left"


def test_spans_and_pairs_come_back_as_they_were(data: DataStore, raw: Path) -> None:
    def spans(split: Split, files: RawFiles) -> Iterator[Example]:
        files.open(f"{split}.jsonl").close()
        yield Example(("\U0001f48a aspirin \u2028 daily",), spans=(Span(2, 9, "yes"), Span(12, 17, "no")))
        yield Example(("nothing",))

    task = Task(replace(SPEC, type="named_entity_recognition", rows={}), spans, Path())
    data.prepare(task, raw)
    assert data.examples(task, "test") == list(spans("test", fetch.Files(task, raw, raw)))


def test_the_fingerprint_depends_on_every_part_of_the_examples(data: DataStore, raw: Path, tmp_path: Path) -> None:
    data.prepare(TOY, raw)

    def other(split: Split, files: RawFiles) -> Iterator[Example]:
        return (replace(example, unit="v") for example in read(split, files))

    again, changed = DataStore(tmp_path / "again"), DataStore(tmp_path / "changed")
    again.prepare(TOY, raw)
    changed.prepare(Task(SPEC, other, Path()), raw)
    assert data.fingerprint(TOY, "train") == again.fingerprint(TOY, "train")
    assert data.fingerprint(TOY, "train") != changed.fingerprint(TOY, "train")


def test_a_second_prepare_does_nothing(data: DataStore, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.prepare(TOY, raw)
    before = {path: (data.root / path).stat().st_mtime_ns for path in left_in(data.root)}

    def refuse(path: Path) -> bytes:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(fetch, "unpack", refuse)
    report = data.prepare(TOY, raw)
    assert not report.changed
    assert report.rows == {"train": 2, "test": 1}
    assert {path: (data.root / path).stat().st_mtime_ns for path in left_in(data.root)} == before


def test_a_missing_split_is_said_and_taken_up_later(data: DataStore, raw: Path) -> None:
    train = raw / "toy" / "train.jsonl"
    train.rename(raw / "aside")
    report = data.prepare(TOY, raw)
    assert report.rows == {"test": 1}
    assert "train.jsonl is not under" in report.missing["train"]
    with pytest.raises(NotPreparedError, match=r"(?s)the train split of toy.*train\.jsonl is not under.*prepare toy"):
        data.examples(TOY, "train")
    assert not data.prepare(TOY, raw).changed

    (raw / "aside").rename(train)
    (raw / "toy" / "test.jsonl.gz").unlink()  # what is prepared is not read again
    report = data.prepare(TOY, raw)
    assert report.changed
    assert report.rows == {"train": 2, "test": 1}
    assert not report.missing
    assert data.examples(TOY, "test") == [Example(("fine",), labels=("yes",), unit="u")]


def test_a_new_version_or_another_pin_prepares_anew(data: DataStore, raw: Path) -> None:
    data.prepare(TOY, raw)
    newer = replace(TOY, spec=replace(SPEC, version=2))
    assert data.prepare(newer, raw).folder.name == "v2"
    blob = Source("train.jsonl", ("train",), git_blob=git_blob(CONTENT["train"]))
    repinned = replace(TOY, spec=replace(SPEC, sources=(blob, source("test"))))
    assert data.prepare(repinned, raw).changed
    assert not data.prepare(repinned, raw).changed
    assert data.rows(TOY) == {"train": 2, "test": 1}


def test_git_blob_is_what_git_says() -> None:
    # `printf 'hello\n' | git hash-object --stdin`
    assert git_blob(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


@pytest.mark.parametrize("pinned_by", ["sha256", "git_blob"])
def test_another_file_is_refused_and_leaves_nothing(data: DataStore, raw: Path, pinned_by: str) -> None:
    task = TOY
    if pinned_by == "git_blob":
        blob = Source("train.jsonl", ("train",), git_blob=git_blob(CONTENT["train"]))
        task = replace(TOY, spec=replace(SPEC, sources=(blob, source("test"))))
    (raw / "toy" / "train.jsonl").write_bytes(CONTENT["train"] + b"{}\n")
    with pytest.raises(UserError, match=r"(?s)train\.jsonl is not the published file.*found:.*expected:.*remedy:"):
        data.prepare(task, raw)
    assert left_in(data.root) == []
    with pytest.raises(NotPreparedError):
        data.examples(task, "test")


PACKED = gzip.compress(CONTENT["test"], mtime=0)  # the same name for the cases in every worker


@pytest.mark.parametrize("damaged", [PACKED[:-9], PACKED[:4], PACKED[:15] + b"?" + PACKED[16:], b"plain", b""])
def test_a_damaged_gzip_file(data: DataStore, raw: Path, damaged: bytes) -> None:
    (raw / "toy" / "test.jsonl.gz").write_bytes(damaged)
    with pytest.raises(UserError, match=r"test\.jsonl"):
        data.prepare(TOY, raw)
    assert left_in(data.root) == []


def test_another_number_of_rows(data: DataStore, raw: Path) -> None:
    task = replace(TOY, spec=replace(SPEC, rows={"train": 3}))
    with pytest.raises(UserError, match=r"(?s)train split of toy has another number of rows.*2.*3"):
        data.prepare(task, raw)
    assert left_in(data.root) == []


def test_an_example_that_the_checks_refuse(data: DataStore, raw: Path) -> None:
    task = replace(TOY, spec=replace(SPEC, labels=("yes",)))
    with pytest.raises(UserError, match="example 2 of train: unknown-label"):
        data.prepare(task, raw)


def test_a_crash_between_build_and_move_leaves_the_old_state(
    data: DataStore, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = raw / "toy" / "train.jsonl"
    train.rename(raw / "aside")

    def crash(new: Path, target: Path) -> None:
        assert (new / "manifest.json").is_file()
        assert target.name == "v1"
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "_move_in", crash)
        with pytest.raises(KeyboardInterrupt):
            data.prepare(TOY, raw)
        assert left_in(data.root) == []
    data.prepare(TOY, raw)
    before = left_in(data.root)
    (raw / "aside").rename(train)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_move_in", crash)
        with pytest.raises(KeyboardInterrupt):
            data.prepare(TOY, raw)
    assert left_in(data.root) == before
    assert data.rows(TOY) == {"test": 1}


def test_what_a_killed_process_left_is_swept_after_a_day(data: DataStore, raw: Path) -> None:
    old, fresh = data.root / "toy" / ".building-old", data.root / "toy" / ".building-fresh"
    for folder in (old, fresh):
        folder.mkdir(parents=True)
    days_ago = time.time() - 2 * store.STALE_SECONDS
    os.utime(old, (days_ago, days_ago))
    data.prepare(TOY, raw)
    assert not old.exists()
    assert fresh.exists(), "it may belong to a process at work"


def test_a_damaged_manifest_is_the_users_to_mend(data: DataStore, raw: Path) -> None:
    path = data.prepare(TOY, raw).folder / "manifest.json"
    path.write_text(json.dumps({"task": "toy"}))
    with pytest.raises(UserError, match=r"(?s)manifest\.json is damaged.*delete the folder"):
        data.rows(TOY)


def test_damaged_arrow_files_are_the_users_to_mend(data: DataStore, raw: Path) -> None:
    folder = data.prepare(TOY, raw).folder
    for path in (folder / "test").glob("*.arrow"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"(?s)test is damaged.*changed since.*prepare toy"):
        data.examples(TOY, "test")
    assert data.prepare(TOY, raw).changed
    assert data.examples(TOY, "test") == [Example(("fine",), labels=("yes",), unit="u")]


def test_every_changed_byte_of_the_store_is_noticed(data: DataStore, raw: Path) -> None:
    folder = data.prepare(TOY, raw).folder / "train"
    before = data.examples(TOY, "train")
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for place in range(0, len(content), max(len(content) // 40, 1)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(UserError, match="prepare toy"):
                data.examples(TOY, "train")
        path.write_bytes(content)
    assert data.examples(TOY, "train") == before
    (folder / "more").write_bytes(b"")
    with pytest.raises(UserError, match="more changed"):
        data.examples(TOY, "train")
    (folder / "more").unlink()
    (folder / "state.json").unlink()
    (folder / "state.json").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="is no file"):
        data.examples(TOY, "train")


def test_nothing_is_digested_twice(data: DataStore, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = data.prepare(TOY, raw).folder
    for path in (folder / "train").iterdir():
        os.utime(path, (1e9, 1e9))
    assert len(data.examples(TOY, "train")) == 2

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(manifest, "sha256_file", refuse)
    assert len(data.examples(TOY, "train")) == 2


def test_a_store_of_an_earlier_version_is_compared_with_its_fingerprint_and_given_digests(
    data: DataStore, raw: Path
) -> None:
    path = data.prepare(TOY, raw).folder / "manifest.json"
    now = json.loads(path.read_text())
    old = json.loads(path.read_text())
    for facts in old["splits"].values():
        del facts["files"], facts["unused"]
    path.write_text(json.dumps(old))
    assert len(data.examples(TOY, "train")) == 2
    old["splits"]["train"]["fingerprint"] = "0" * 64
    path.write_text(json.dumps(old))
    with pytest.raises(UserError, match="other rows than were prepared"):
        data.examples(TOY, "train")
    assert data.prepare(TOY, raw).changed, "the split that is not what it was is read again"
    assert json.loads(path.read_text())["splits"]["test"]["files"] == now["splits"]["test"]["files"]
    assert len(data.examples(TOY, "train")) == 2


WRONG: dict[str, tuple[dict[str, Any], list[Example], str]] = {
    "spans in the place of labels": (
        {"type": "named_entity_recognition"},
        [Example(("a b",), labels=cast("Any", (Span(0, 1, "yes"),)))],
        "labels in a span task",
    ),
    "labels in a span task": (
        {"type": "named_entity_recognition"}, [Example(("a b",), labels=("yes",))], "labels in a span task"
    ),
    "spans in a task of labels": ({}, [Example(("a b",), spans=(Span(0, 1, "yes"),))], "in a task of labels"),
    "no label": ({}, [Example(("a b",))], "no label"),
    "two texts": ({}, [Example(("a b", "c"), labels=("yes",))], "2 texts, expected 1"),
    "a list": ({}, [Example(cast("Any", ["a b"]), labels=("yes",))], "expected tuples"),
    "spans out of order": (
        {"type": "named_entity_recognition"},
        [Example(("a b",), spans=(Span(2, 3, "yes"), Span(0, 1, "no")))],
        "spans in order",
    ),
    "a number for a unit": ({}, [Example(("a b",), labels=("yes",), unit=cast("Any", 7))], "no string"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_readers_example_goes_through_the_checks_of_a_strangers_row(case: str, data: DataStore, raw: Path) -> None:
    changes, examples, message = WRONG[case]

    def reader(split: Split, files: RawFiles) -> Iterator[Example]:
        files.open(f"{split}.jsonl").close()
        yield from examples

    with pytest.raises(UserError, match=message):
        data.prepare(Task(replace(SPEC, rows={}, **changes), reader, Path()), raw)


def test_an_example_takes_labels_and_spans_by_name_alone() -> None:
    with pytest.raises(TypeError):
        cast("Any", Example)(("a",), (Span(0, 1, "x"),))


def test_a_label_that_a_split_never_has_is_named(data: DataStore, raw: Path) -> None:
    assert data.prepare(TOY, raw).unused == {"test": ("no",)}
    assert data.prepare(TOY, raw).unused == {"test": ("no",)}


def test_nothing_prepared(data: DataStore, tmp_path: Path) -> None:
    assert data.rows(TOY) == {}
    with pytest.raises(NotPreparedError, match=r"(?s)toy is not prepared in .*clinsynth prepare toy"):
        data.fingerprint(TOY, "test")
    with pytest.raises(NotPreparedError, match=r"toy has no dev split"):
        data.examples(TOY, "dev")
    with pytest.raises(UserError, match="no folder"):
        data.prepare(TOY, tmp_path / "nowhere")


def test_a_folder_of_another_task_is_not_mistaken(data: DataStore, raw: Path) -> None:
    task = replace(TOY, spec=replace(SPEC, sources=(source("train", "https://example.org"),), rows={}))
    shutil.move(raw / "toy", raw / "other")
    with pytest.raises(NotPreparedError, match="none of its files is here"):
        data.prepare(task, raw / "other")
    shutil.move(raw / "other", raw / "toy")
    assert data.prepare(task, raw / "toy").changed, "the task's own folder may be given itself"


# ----------------------------------------------------------------- restricted data


def restricted(reader: str) -> Task:
    def int_of_text(split: Split, files: RawFiles) -> Iterator[Example]:
        yield Example((str(int(files.open(f"{split}.txt").read())),), labels=("yes",))

    def key_of_text(split: Split, files: RawFiles) -> Iterator[Example]:
        yield Example(("x",), labels=({"a": "yes"}[files.open(f"{split}.txt").read()],))

    def label_of_text(split: Split, files: RawFiles) -> Iterator[Example]:
        yield Example(("x",), labels=(files.open(f"{split}.txt").read(),))

    def decode(split: Split, files: RawFiles) -> Iterator[Example]:
        yield Example((files.open(f"{split}.latin").read(),), labels=("yes",))

    readers = {f.__name__: f for f in (int_of_text, key_of_text, label_of_text, decode)}
    sources = tuple(Source(name, ("test",)) for name in ("test.txt", "test.latin"))
    spec = replace(SPEC, access="credentialed", apply="Sign at https://example.org.", sources=sources, rows={})
    return Task(spec, readers[reader], Path())


@pytest.mark.parametrize("reader", ["int_of_text", "key_of_text", "label_of_text", "decode"])
def test_no_message_on_restricted_data_holds_any_of_it(data: DataStore, tmp_path: Path, reader: str) -> None:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "test.txt").write_text(NEVER_SHOWN)
    (tmp_path / "toy" / "test.latin").write_bytes(NEVER_SHOWN.encode() + b"\xe9" + NEVER_SHOWN.encode())
    with pytest.raises(UserError, match="the test split of toy cannot be read") as raised:
        data.prepare(restricted(reader), tmp_path)
    assert NEVER_SHOWN not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert left_in(data.root) == []


def test_open_data_may_be_quoted(data: DataStore, tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    for name in ("test.txt", "test.latin"):
        (tmp_path / "toy" / name).write_text(NEVER_SHOWN)
    task = restricted("int_of_text")
    with pytest.raises(UserError, match=NEVER_SHOWN):
        data.prepare(replace(task, spec=replace(task.spec, access="open")), tmp_path)


def test_restricted_data_are_asked_for_and_kept_private(data: DataStore, raw: Path) -> None:
    spec = replace(SPEC, access="credentialed", apply="Sign at https://example.org.")
    with pytest.raises(NotPreparedError, match=r"(?s)must be brought by you.*Sign at"):
        data.prepare(replace(TOY, spec=spec))
    folder = data.prepare(replace(TOY, spec=spec), raw).folder
    assert folder.stat().st_mode & 0o077 == 0


# ----------------------------------------------------------------- downloads


class Publisher(BaseHTTPRequestHandler):
    """Serves what is in ``files``; ``failures`` counts down answers of 503; ``asked`` lists the requests."""

    files: dict[str, bytes]
    failures: int
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if type(self).failures:
            type(self).failures -= 1
            self.send_error(503)
            return
        content = self.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is given by the base class
        """Say nothing."""


@pytest.fixture
def publisher() -> Iterator[tuple[type[Publisher], str]]:
    handler = type("Handler", (Publisher,), {"files": {}, "failures": 0, "asked": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def published(address: str) -> Task:
    sources = (source("train", f"{address}/train"), source("test", f"{address}/test"))
    return replace(TOY, spec=replace(SPEC, sources=sources))


def test_download(data: DataStore, publisher: tuple[type[Publisher], str], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_wait(_: float) -> None:
        """pooch waits between tries."""

    monkeypatch.setattr(time, "sleep", no_wait)
    handler, address = publisher
    handler.files = {f"/{split}": content for split, content in CONTENT.items()}
    handler.failures = 1
    assert data.prepare(published(address)).rows == {"train": 2, "test": 1}
    assert (data.root / "raw" / "toy" / "train.jsonl").read_bytes() == CONTENT["train"]
    assert handler.asked == ["/train", "/train", "/test"]

    shutil.rmtree(data.root / "toy")
    assert data.prepare(published(address)).changed
    assert len(handler.asked) == 3, "what was downloaded is kept"


def test_a_wrong_download_is_refused_and_not_kept(data: DataStore, publisher: tuple[type[Publisher], str]) -> None:
    handler, address = publisher
    handler.files = {"/train": b"<html>sign in</html>", "/test": CONTENT["test"]}
    with pytest.raises(UserError, match=r"(?s)/train is not the published file.*found: sha256.*expected: sha256"):
        data.prepare(published(address))
    assert left_in(data.root) == []


def test_a_split_that_cannot_be_downloaded_is_missing(
    data: DataStore, publisher: tuple[type[Publisher], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "RETRIES", 0)
    handler, address = publisher
    with pytest.raises(NotPreparedError, match="404"):
        data.prepare(published(address))
    handler.files = {"/test": CONTENT["test"]}
    report = data.prepare(published(address))
    assert report.rows == {"test": 1}
    assert "404" in report.missing["train"]
    assert not data.prepare(published(address)).changed


def test_a_folder_given_means_no_network(data: DataStore, raw: Path, publisher: tuple[type[Publisher], str]) -> None:
    handler, address = publisher
    (raw / "toy" / "train.jsonl").unlink()
    report = data.prepare(published(address), raw)
    assert f"published at {address}/train" in report.missing["train"]
    assert handler.asked == []


# ----------------------------------------------------------------- many tasks

MODULE = """
from clinsynth.core.nouns import Example, Source, TaskSpec

TASK = TaskSpec(
    name="NAME", title="T", type="relation_extraction", description="T.", labels=("yes",),
    label_descriptions={"yes": "y"}, metric="accuracy", unit="example", sources=(Source("f.txt", ("test",)),),
    rows={}, licence="", access="credentialed", homepage="", citation="", apply="Ask.",
)


def read(split, files):
    yield Example((files.open("f.txt").read(),), labels=("yes",))
"""


@pytest.mark.slow
def test_prepare_all_goes_on_after_a_failure(data: DataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks_dir, raw = tmp_path / "tasks", tmp_path / "raw"
    for name in ("store_good", "store_bad", "store_none"):
        tasks_dir.mkdir(exist_ok=True)
        (tasks_dir / f"{name}.py").write_text(MODULE.replace("NAME", name))
        (raw / name).mkdir(parents=True)
    (raw / "store_good" / "f.txt").write_text("fine")
    (raw / "store_bad" / "f.txt").write_text("")  # the checks refuse an empty text
    monkeypatch.setenv(TASKS_DIR_VARIABLE, str(tasks_dir))
    window = clinsynth.tasks.__path__
    TASKS.forget()
    try:
        tasks = [TASKS[name] for name in ("store_none", "store_bad", "store_good")]
        for workers in (2, 1):
            told: list[Outcome] = []
            outcomes = prepare_all(tasks, data, raw, told.append, workers=workers)
            assert sorted(outcome.task for outcome in told) == ["store_bad", "store_good", "store_none"]
            good = "prepared" if workers == 2 else "unchanged"
            assert [outcome.status for outcome in outcomes] == ["not_prepared", "failed", good]
            assert "Ask." in outcomes[0].error
            assert "empty-text" in outcomes[1].error
            assert outcomes[2].report
    finally:
        window.remove(str(tasks_dir))
        TASKS.forget()


# ----------------------------------------------------------------- the rest of the data side


def test_few_shot_comes_from_dev_where_there_is_no_train_and_never_from_test(data: DataStore, raw: Path) -> None:
    (raw / "toy" / "train.jsonl").rename(raw / "toy" / "dev.jsonl")
    dev = replace(source("train"), path="dev.jsonl", splits=("dev",))
    only_test = replace(TOY, spec=replace(SPEC, sources=(source("test"),)))
    data.prepare(only_test, raw)
    with pytest.raises(NotPreparedError, match=r"(?s)no few-shot examples of toy.*test 1 rows"):
        few_shot(data, only_test)
    task = replace(TOY, spec=replace(SPEC, sources=(dev, source("test")), rows={}))
    data.prepare(task, raw)
    drawn = few_shot(data, task)
    assert drawn.split == "dev"
    assert {example.texts[0] for example in drawn.examples} == {"good", "bad"}


def test_few_shot_depends_on_the_seed() -> None:
    task = TASKS["hoc"]
    assert few_shot(SampleStore(), task, 1, seed=0) != few_shot(SampleStore(), task, 1, seed=1)


def test_open_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_store(sample=True).kind == "sample"
    assert open_store(tmp_path).kind == "real"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CLINSYNTH_DATA", raising=False)
    assert default_data_dir() == tmp_path / "cache" / "clinsynth"
    monkeypatch.setenv("CLINSYNTH_DATA", str(tmp_path / "own"))
    assert default_data_dir() == tmp_path / "own"


def test_importing_the_data_side_is_light() -> None:
    code = (
        "import sys, clinsynth.data.samples, clinsynth.data.samples, clinsynth.data.store\n"
        "from clinsynth.core.registry import TASKS; list(TASKS)\n"
        "print(sorted({'torch', 'datasets', 'pandas', 'pydantic', 'pooch', 'pyarrow'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own
    assert done.stdout.strip() == "[]"
