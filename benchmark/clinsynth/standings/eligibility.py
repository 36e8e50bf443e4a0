"""Eligibility for a rank. A row that is not eligible is shown below the line with all reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clinsynth.audit import is_audited
from clinsynth.results import SEEDS, DataKind
from clinsynth.standings.collection import Chosen
from clinsynth.standings.profiles import MissingPredictionsError
from clinsynth.standings.verdicts import RANKED_SEEDS, Reason, ReasonCode

REFERENCE = Reason("reference", "a floor or a ceiling: shown to compare with, never ranked")


def unfit(each: Chosen, task: str, kind: DataKind) -> list[Reason]:
    """Why a row does not take part in the tie groups of a task that it has runs on; empty: it does."""
    records = each.runs[task]
    why: list[Reason] = []
    if each.entry.reference:
        return [REFERENCE]
    if kind == "sample":
        return [Reason("sample", "made on the bundled sample: these numbers try the machinery, no more")]
    if fault := each.stored.faults.get(task):
        why.append(Reason("failed-verify", f"{task}: {fault}", (task,)))
    elif len(records) < RANKED_SEEDS:
        why.append(Reason("preliminary", f"on {task} {len(records)} of {RANKED_SEEDS} seeds", (task,)))
    if other := sorted({record.seed for record in records} - {*SEEDS}):
        some = ", ".join(map(str, other[:5])) + (", ..." if len(other) > 5 else "")
        text = f"on {task} runs of the seeds {some}: the protocol's are {SEEDS[0]} to {SEEDS[-1]}, and nobody chooses"
        why.append(Reason("seeds", text, (task,)))
    rows, test = records[0].training.fingerprint, records[0].test.fingerprint
    verdict = is_audited(each.stored.folder, task, rows, kind=kind, test=test)
    if verdict.state == "failed":
        why.append(Reason("leaks", f"the audit on {task} failed: {'; '.join(verdict.reasons)}", (task,)))
    elif not verdict.ranked:
        why.append(Reason("unaudited", "; ".join(verdict.reasons), (task,)))
    if verdict.tier == "real":
        why.append(Reason("real-text", "its rows repeat real training text: a tier of its own", (task,)))
    state = each.stored.reproductions.state(records)
    if state == "not reproduced":
        text = f"training again on {task} gave other results than those handed in"
        why.append(Reason("not-reproduced", text, (task,)))
    elif state == "as handed in" and each.stored.published:
        text = f"the runs on {task} were not trained again: clinsynth reproduce"
        why.append(Reason("as-handed-in", text, (task,)))
    return why


def reasons(
    each: Chosen,
    required: Sequence[str],
    unavailable: Mapping[str, str],
    faults: Mapping[str, Exception],
    known: Mapping[str, Sequence[Reason]],
    kind: DataKind,
) -> tuple[Reason, ...]:
    """Every reason for which a row has no rank, one for each code, the gravest first; empty: it is ranked.

    Args:
        each: the row's runs.
        required: tasks that a ranked row has.
        unavailable: tasks without statistics, and why.
        faults: by task, why there is no profile of this row.
        known: by task, what ``unfit`` said of this row; it is asked for the others.
        kind: of the data.
    """
    why: list[Reason] = []
    for task in required:
        if task in each.odd:
            why.append(Reason("mixed", f"{task}: {each.odd[task]}", (task,)))
        elif task in each.runs:
            why += known[task] if task in known else unfit(each, task, kind)
        elif task in each.stored.faults and not each.entry.reference:
            why.append(Reason("failed-verify", f"{task}: {each.stored.faults[task]}", (task,)))
        if task in faults:
            why.append(Reason(_code(faults[task]), str(faults[task]).splitlines()[0], (task,)))
    if each.stored.reproductions.lifted({task: each.runs[task] for task in required if task in each.runs}):
        text = "training again gave a lower mean of the types than what was handed in, by more than chance does"
        why.append(Reason("not-reproduced", text))
    missing = [task for task in required if task not in each.runs]
    if missing and not each.entry.reference:
        text = f"no result on {', '.join(missing)}; compare works on what two both have"
        why.append(Reason("incomplete", text, tuple(missing)))
    unknown = [task for task in required if task in unavailable]
    if unknown and not each.entry.reference:
        text = f"no differences on {', '.join(unknown)}: {unavailable[unknown[0]]}"
        why.append(Reason("unchecked", text, tuple(unknown)))
    return tuple(_merged(code, why) for code in _ORDER if any(reason.code == code for reason in why))


def _merged(code: ReasonCode, found: Sequence[Reason]) -> Reason:
    """One reason for all tasks."""
    own = [reason for reason in found if reason.code == code]
    texts = list(dict.fromkeys(reason.text for reason in own))
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    tasks = tuple(dict.fromkeys(task for reason in own for task in reason.tasks))
    return Reason(code, "; ".join(texts[:_SHOWN]) + more, tasks)


_SHOWN = 4
"""Tasks that a reason names before it counts the others."""
_ORDER: tuple[ReasonCode, ...] = (
    "reference", "sample", "failed-verify", "leaks", "not-reproduced", "real-text", "seeds", "incomplete",
    "preliminary", "unaudited", "mixed", "unchecked", "as-handed-in",
)  # fmt: skip


def _code(fault: Exception) -> ReasonCode:
    """Reason code of a fault: a missing file may be on another machine, a contradicting one is wrong everywhere."""
    return "unchecked" if isinstance(fault, MissingPredictionsError) else "failed-verify"
