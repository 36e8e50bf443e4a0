"""What a suite would ask, and what that would cost, without a single request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clinsynth.core import NotPreparedError
from clinsynth.direct.estimates import Estimate, estimated, nothing
from clinsynth.direct.runner import subset
from clinsynth.direct.suites.clinicalgpt import prepare, suite_set
from clinsynth.direct.suites.judge import Case, compare_prompts, grade_prompts, read_judge
from clinsynth.direct.suites.notes import MAX_TOKENS, prompt
from clinsynth.direct.suites.questions import SuiteRequest
from clinsynth.direct.suites.real_notes import Notes
from clinsynth.direct.suites.records import SuiteRecord
from clinsynth.direct.suites.sets import SETS
from clinsynth.llm import CHARACTERS_A_TOKEN, UnknownPrices


def estimate_sets(
    request: SuiteRequest, names: Sequence[str], source_dir: Path | None, raw_dir: Path
) -> Iterator[Estimate]:
    """Of each set of ``clinicalgpt``. Raises as ``run_clinicalgpt``, but for the server's faults."""
    for each in (suite_set(name) for name in names or SETS):
        try:
            work = prepare(request, each, source_dir, raw_dir)
        except NotPreparedError as error:
            yield nothing(each.name, str(error).splitlines()[0])
            continue
        if isinstance(work, SuiteRecord):
            yield nothing(each.name, "stored before")
        else:
            yield estimated(
                each.name, [work.prompts[k] for k in work.positions], request.room(each.max_tokens), request.prices
            )


def estimate_notes(
    request: SuiteRequest, notes: Notes, judges: Sequence[str], against: Sequence[Path]
) -> Iterator[Estimate]:
    """Of the model's answers, and of each judge: as if every answer were as long as it may.

    Raises ``UserError`` where a judge's name cannot be read.
    """
    rows = [notes.rows[k] for k in subset(len(notes.rows), request.limit)]
    yield estimated("answers", [prompt(row) for row in rows], request.room(MAX_TOKENS), request.prices)
    longest = "x" * round(MAX_TOKENS * CHARACTERS_A_TOKEN)
    cases = [Case(row.note, row.question, longest) for row in rows]
    for judge in judges:
        name, _, mode = read_judge(judge)
        both = compare_prompts(list(zip(cases, cases, strict=True)), mode)
        asked = [*grade_prompts(cases, mode), *(each for _ in against for each in both)]
        tokens = max((each.max_tokens for each in asked), default=0)
        yield estimated(f"judge {name}", [each.text for each in asked], tokens, UnknownPrices())
