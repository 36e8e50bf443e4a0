"""How much computing an audit and a measurement of quality take, here and in another checkout, in pairs.

    python -m studies.speed.checks --against ../other --data-dir DATA [--task hoc] [--rows 300,5000] [--pairs 3]

Each is a process of its own with one thread. Cold: nothing is embedded yet; warm: all texts are, as after a change of
rules. What counts is user and system time of the process, so that a busy machine says the same as an idle one, and the
two checkouts take turns at going first. Rows are halves of a submission's rows put together at random. What the two
found is compared: leaks, counts and draws are to be equal, numbers from embeddings within 0.002.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
COMMANDS = ("audit", "quality")
TOLERANCE = 0.002
"""Of numbers that come from embeddings, which depend on the batch by up to 0.001."""
_OF_THE_CALL = frozenset({"created", "seconds", "packages", "seal"})


def write_rows(source: Path, task: str, rows: int, target: Path) -> None:
    """A submission of ``rows`` rows: the first half of one row's words and the second half of another's."""
    rng = random.Random(0)  # noqa: S311 - no secret
    (file,) = (source / "data").glob(f"{task}.jsonl*")
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        known: list[dict[str, Any]] = [json.loads(line) for line in stream]
    (target / "data").mkdir(parents=True)
    shutil.copyfile(source / "submission.toml", target / "submission.toml")
    with gzip.open(target / "data" / f"{task}.jsonl.gz", "wt", encoding="utf-8") as stream:
        for number in range(rows):
            one, other = known[number % len(known)], rng.choice(known)
            stream.write(json.dumps({key: _halves(one[key], other[key]) for key in one}) + "\n")


def _halves(one: Any, other: Any) -> Any:
    if not isinstance(one, str) or len(one.split()) < 4:
        return one
    first, second = one.split(), other.split()
    return " ".join(first[: len(first) // 2] + second[len(second) // 2 :])


def spent(checkout: Path, words: Sequence[str]) -> float:
    """Seconds of computing of ``clinsynth`` of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "benchmark"), "OMP_NUM_THREADS": "1"}
    null = os.open(os.devnull, os.O_WRONLY)
    line = [sys.executable, "-m", "clinsynth", *words]
    process = os.posix_spawn(
        sys.executable, line, environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    )
    _, status, used = os.wait4(process, 0)
    os.close(null)
    if os.waitstatus_to_exitcode(status) not in (0, 1):  # 1: an audit that found something
        raise SystemExit(f"{checkout}: {' '.join(words)} ended with status {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Where two records say different things."""
    if isinstance(one, dict) and isinstance(other, dict):
        one, other = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        keys = {*one, *other} - _OF_THE_CALL
        for key in sorted(keys, key=str):
            yield from differences(one.get(key), other.get(key), f"{place}/{key}")
    elif (
        isinstance(one, list)
        and isinstance(other, list)
        and len(cast("list[Any]", one)) == len(cast("list[Any]", other))
    ):
        pairs = zip(cast("list[Any]", one), cast("list[Any]", other), strict=True)
        for number, (left, right) in enumerate(pairs):
            yield from differences(left, right, f"{place}/{number}")
    elif isinstance(one, float) and isinstance(other, float):
        if abs(one - other) > TOLERANCE * max(1.0, abs(one)):
            yield f"{place}: {one} and {other}"
    elif one != other:
        yield f"{place}: {str(cast('object', one))[:60]} and {str(cast('object', other))[:60]}"


def compared(checkouts: dict[str, Path], arguments: argparse.Namespace, rows: int, place: Path) -> dict[str, Any]:
    """Seconds of both checkouts for one number of rows, and where their records differ."""
    seconds: dict[str, dict[str, list[float]]] = {}
    records: dict[str, dict[str, Any]] = {name: {} for name in checkouts}
    base = place / "base" / arguments.submission.name
    write_rows(arguments.submission, arguments.task, rows, base)
    for pair in range(arguments.pairs):
        for state in ("cold", "warm"):
            for command in COMMANDS:
                for name in sorted(checkouts, reverse=bool(pair % 2)):
                    data = place / f"data-{name}-{command}"
                    if state == "cold":
                        shutil.rmtree(data, ignore_errors=True)
                        data.mkdir()
                        (data / arguments.task).symlink_to(arguments.data_dir.absolute() / arguments.task)
                    folder = place / "now" / base.name
                    shutil.rmtree(folder, ignore_errors=True)
                    shutil.copytree(base, folder)
                    words = (command, str(folder), "--tasks", arguments.task, "--data-dir", str(data))
                    cost = spent(checkouts[name], words)
                    seconds.setdefault(f"{command} {state}", {}).setdefault(name, []).append(cost)
                    (record,) = folder.glob(f"{command}/*.json")
                    records[name][command] = json.loads(record.read_text("utf-8"))
                    sys.stderr.write(f"{rows} rows, {command} {state}, {name}: {cost:.1f} s\n")
    here, there = (records[name] for name in checkouts)
    return {"rows": rows, "seconds": seconds, "differences": list(differences(here, there))}


def main() -> int:
    """Print JSON and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--submission", type=Path, default=ROOT / "submissions" / "template")
    parser.add_argument("--task", default="hoc")
    parser.add_argument("--rows", default="300,5000")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    checkouts = {"here": ROOT, "there": arguments.against.absolute()}
    found: list[dict[str, Any]] = []
    for rows in map(int, arguments.rows.split(",")):
        with tempfile.TemporaryDirectory() as place:
            found.append(compared(checkouts, arguments, rows, Path(place)))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    sys.stdout.write("| rows | | there, s | here, s | ratio |\n|--:|:--|--:|--:|--:|\n")
    for each in found:
        for what, sides in each["seconds"].items():
            here, there = (statistics.median(sides[name]) for name in ("here", "there"))
            sys.stdout.write(f"| {each['rows']:,} | {what} | {there:.1f} | {here:.1f} | {there / here:.1f} |\n")
        sys.stdout.writelines(f"{each['rows']:,} rows differ: {line}\n" for line in each["differences"][:20])
    return 0


if __name__ == "__main__":
    sys.exit(main())
