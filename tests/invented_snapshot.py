"""A snapshot of submissions that do not exist, with every table filled: what the views are tested on."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from clinsynth.core.nouns import TaskTypeName
from clinsynth.core.registry import TASKS
from clinsynth.quality import Level
from clinsynth.snapshot import Snapshot, Tables, write_snapshot
from clinsynth.snapshot.builder import task_rows
from clinsynth.snapshot.data_records import published_elsewhere
from clinsynth.snapshot.schema import (
    AuditRow,
    BandRow,
    ConditionRow,
    CostRow,
    CurveRow,
    DifferenceRow,
    DirectRow,
    DropRow,
    ExampleRow,
    GenerationRow,
    GradeRow,
    LeftOutRow,
    OverallRow,
    Place,
    QualityRow,
    ScoreRow,
    SeedRow,
    SubmissionRow,
    SuiteRow,
    TypeRow,
)

RECIPES = (("minilm-l6.v1", 300), ("minilm-l6.v1", 1000), ("pubmedbert.v1", 300))
REFERENCES = {"constant": 0.28, "gold-few": 0.42, "gold-n": 0.66, "gold-full": 0.78}
TASK_NAMES = ("hoc", "cdr", "gad", "mediqa-rqe", "healthver", "mqp", "ncbi-disease", "bc5cdr-chemical")
METHODS = ("attribute-prompts", "clingen-kg", "clingen-llm", "demo-gpt", "entity-templates", "naive-prompts",
           "note-rewriting", "seed-augment", "tang-style", "two-step-pairs")  # fmt: skip


def _card(name: str, rng: random.Random) -> SubmissionRow:
    reference = name in REFERENCES
    paid = rng.choice((None, 0.9, 3.4, 12.5, 48.0)) if not reference else None
    return SubmissionRow(
        submission=name,
        title=name.replace("-", " ").capitalize(),
        kind="reference" if reference else "submission",
        authors=("A. Person", "Group <b>of</b> others"),
        generator="prompts a model & keeps what parses",
        paper="" if reference else "https://example.org/paper",
        licence="CC-BY-4.0",
        disclosures=("Invented for tests.",),
        bibtex="" if reference else f"@misc{{{name},\n  title = {{{name}}},\n  year = {{2026}}\n}}",
        real_data="few-shot",
        real_details="five examples a class",
        llm="" if reference else "model_x",
        llm_snapshot="",
        llm_parameters=None if reference else rng.choice((None, 1.5, 7.0, 70.0)),
        llm_open=None if reference else rng.choice((None, True, False)),
        calls=None if paid is None else 9000,
        tokens_in=None if paid is None else int(paid * 1e6),
        tokens_out=None if paid is None else int(paid * 3e5),
        dollars=paid,
        price_source="" if paid is None else "stated",
        price_date="" if paid is None else "2026-10-01",
        seconds=None if paid is None else 5400.0,
    )


def tables(methods: int = 10, seed: int = 0, conditions: int = len(RECIPES)) -> Tables:
    """All tables."""
    rng = random.Random(seed)
    names = [
        METHODS[k % len(METHODS)] + (f"-{k // len(METHODS) + 1}" if k >= len(METHODS) else "") for k in range(methods)
    ]
    every = [*names, *REFERENCES]
    skill = {name: 0.45 + 0.3 * rng.random() for name in names} | REFERENCES
    made: dict[str, list[Any]] = {name: [] for name in Tables.__dataclass_fields__}
    made["tasks"] = list(task_rows())
    made["submissions"] = [_card(name, rng) for name in every]
    for recipe, rows in RECIPES[:conditions]:
        _condition(made, recipe, rows, names, skill, rng)
    for name in every:
        for task in TASK_NAMES[:4]:
            _beside(made, name, task, rng)
    made["left_out"] = [LeftOutRow(submission="broken-card", reason="submission.toml is faulty")]
    made["elsewhere"] = list(published_elsewhere())
    made["direct"] = [
        DirectRow(
            data="real",
            submission="model-x",
            model="model_x",
            task=task,
            metric=TASKS[task].spec.metric,
            shots=shots,
            score=0.3 + 0.3 * rng.random(),
            low=0.2,
            high=0.7,
            examples=100,
            limited=True,
            unparsed=7,
            tokens_in=52000,
            tokens_out=3100,
            dollars=None,
            reasons=(),
        )
        for task in TASK_NAMES
        for shots in (0, 5)
    ]
    made["suites"] = [
        SuiteRow(suite="clinicalgpt", set=name, area="exams", submission="model-x", model="model_x", measure="accuracy",
                 value=0.2 + 0.5 * rng.random(), examples=100, limited=True, unread=3, cut=0)
        for name in ("medqa", "medmcqa")
    ]  # fmt: skip
    made["grades"] = [
        GradeRow(suite="asclepius-notes", submission="model-x", model="model_x", notes="0" * 64, judge=judge, kind=kind,
                 grade=None if kind == "Paraphrasing" else 1 + 3 * rng.random(), examples=12,
                 ungraded=2 if kind == "all" else None, limited=False)
        for judge in ("judge-a", "judge-b")
        for kind in ("Paraphrasing", "Summarization", "all")
    ]  # fmt: skip
    return Tables(**{name: tuple(rows) for name, rows in made.items()})


def _places(names: list[str]) -> dict[str, Place]:
    below = set(names[-3:])
    places: dict[str, Place] = {name: "unranked" if name in below else "ranked" for name in names}
    places.update(dict.fromkeys(REFERENCES, "reference"))
    return places


def _condition(made: dict[str, list[Any]], recipe: str, rows: int, names: list[str], skill: dict[str, float],
               rng: random.Random) -> None:  # fmt: skip
    key: dict[str, Any] = {"data": "real", "recipe": recipe, "rows": rows}
    missing = tuple(name for name in TASKS if name not in TASK_NAMES)
    made["conditions"].append(ConditionRow(
        **key, tasks=TASK_NAMES, missing=missing, required=TASK_NAMES, resamples=2000,
        remarks=(f"No result yet on {', '.join(missing)}.",)))  # fmt: skip
    places = _places(names)
    lift = 0.03 * (rows > 300) + 0.02 * (recipe != RECIPES[0][0])
    scores: dict[str, dict[str, float]] = {}
    order: dict[Place, int] = {"ranked": 0, "reference": 1, "unranked": 2}
    for name in sorted(places, key=lambda n: (order[places[n]], -skill[n])):
        own = {task: min(0.97, max(0.02, skill[name] + lift + rng.gauss(0, 0.05))) for task in TASK_NAMES}
        if name == names[-1]:
            own.pop("hoc")
        scores[name] = own
    means = {name: sum(own.values()) / len(own) for name, own in scores.items()}
    ranked = sorted((n for n in scores if places[n] == "ranked"), key=lambda n: -means[n])
    rest = [n for n in scores if places[n] != "ranked"]
    for name in [*ranked, *rest]:
        _rows_of(made, key, name, scores[name], means, ranked, (places[name], names))
    for base in ranked[:4] + list(REFERENCES):
        for other in [*ranked, *rest]:
            if other != base:
                made["differences"] += _pair(key, base, other, scores, means)


_WHY = (
    ("preliminary", "3 of 5 seeds on hoc"),
    ("unaudited", "not audited on hoc: clinsynth audit submissions/x"),
    ("incomplete", "no result on hoc; compare works on what two both have"),
)


def _rows_of(
    made: dict[str, list[Any]], key: dict[str, Any], name: str, own: dict[str, float], means: dict[str, float],
    ranked: list[str], standing: tuple[Place, list[str]],
) -> None:  # fmt: skip
    place, names = standing
    mean = means[name] if len(own) == len(TASK_NAMES) else None
    group = ranked.index(name) // 3 + 1 if place == "ranked" else None
    why = [_WHY[names[-3:].index(name)]] if place == "unranked" else []
    leader = (ranked[1] if name == ranked[0] else ranked[0]) if place == "ranked" else ""
    to_leader = means[name] - means[leader] if leader else None
    made["overall"].append(
        OverallRow(
            **key,
            submission=name,
            place=place,
            reasons=tuple(text for _, text in why),
            codes=tuple(code for code, _ in why),
            group=group,
            rank_low=None if group is None else 3 * group - 2,
            rank_high=None if group is None else 3 * group,
            mean=mean,
            low=None if mean is None else mean - 0.021,
            high=None if mean is None else mean + 0.019,
            gap=None if mean is None else (mean - 0.28) / 0.5,
            gap_tasks=() if mean is None else TASK_NAMES,
            gap_reason="" if mean else "a task is missing",
            variance_task="" if mean is None else "healthver",
            variance_share=None if mean is None else 0.7,
            leader=leader,
            leader_difference=to_leader,
            leader_low=None if to_leader is None else to_leader - 0.02,
            leader_high=None if to_leader is None else to_leader + 0.02,
            leader_p=0.2 if leader else None,
            leader_probability=0.4 if leader else None,
            leader_verdict="tie" if leader else None,
            detectable=0.024 if leader else None,
            tasks=len(own),
            seeds=3 if why and why[0][0] == "preliminary" else 5,
            scored="" if name == "constant" else "2026-11-20",
            reproduced="reproduced" if group == 1 else "as handed in",
            borda=20.5 if group else None,
            win_rate=0.5 if group else None,
        )
    )
    by_type: dict[TaskTypeName, list[float]] = {}
    for task, score in own.items():
        by_type.setdefault(TASKS[task].spec.type, []).append(score)
        _task_rows(made, key, (name, task), score, place, tuple(text for _, text in why), group)
    for kind, values in by_type.items():
        value = sum(values) / len(values)
        made["types"].append(TypeRow(**key, submission=name, place=place, type=kind, mean=value, low=value - 0.03,
                                     high=value + 0.03, tasks=len(values), of_tasks=len(values)))  # fmt: skip
    card = next(row for row in made["submissions"] if row.submission == name)
    tokens = None if card.tokens_in is None else card.tokens_in + card.tokens_out
    if place != "reference":
        made["costs"].append(
            CostRow(
                **key,
                submission=name,
                place=place,
                mean=mean,
                dollars=card.dollars,
                tokens=tokens,
                score_per_dollar=None if mean is None or not card.dollars else mean / card.dollars,
                score_per_million_tokens=None,
                front_dollars=None if card.dollars is None else card.dollars in (0.9, 12.5),
                front_tokens=None if tokens is None else card.dollars == 0.9,
            )
        )
    if mean is not None:
        made["curves"].append(
            CurveRow(
                data="real",
                recipe=key["recipe"],
                submission=name,
                kind="reference" if place == "reference" else "submission",
                task="mean of the types",
                rows=key["rows"],
                seeds=5,
                mean=mean,
                low=mean - 0.02,
                high=mean + 0.02,
                area=mean,
                area_low=None,
                area_high=None,
            )
        )


def _task_rows(
    made: dict[str, list[Any]], key: dict[str, Any], what: tuple[str, str], score: float, place: Place,
    reasons: tuple[str, ...], group: int | None,
) -> None:  # fmt: skip
    name, task = what
    metric = TASKS[task].spec.metric
    exact = task == "mqp"
    made["scores"].append(
        ScoreRow(
            **key,
            submission=name,
            place=place,
            reasons=reasons,
            task=task,
            metric=metric,
            rows_used=key["rows"],
            seeds=5,
            mean=score,
            spread=0.012,
            low=None if exact else max(0.0, score - 0.04),
            high=None if exact else min(1.0, score + 0.04),
            interval_reason="the test set of mqp is not on this machine" if exact else "",
            detectable=0.055,
            group=group,
            leader="",
            leader_difference=None,
            leader_low=None,
            leader_high=None,
            leader_p=None,
            leader_probability=None,
            leader_verdict=None,
            variance_share=0.125,
            gap=score,
            gap_low=score - 0.1,
            gap_high=score + 0.1,
            gap_reason="",
            worth=240.0,
            worth_low=180.0,
            worth_high=None,
            worth_words="240 (180 to > 300)",
            worth_reason="",
            balanced=score - 0.02 if task == "gad" else None,
            label_divergence=0.07 if task == "gad" else None,
        )
    )
    for seed in range(5):
        made["seeds"].append(
            SeedRow(
                **key,
                submission=name,
                task=task,
                seed=seed,
                score=min(1.0, max(0.0, score + 0.01 * (seed - 2))),
                fit="fine-tuned",
                predictions_sha256="0" * 64,
                training_fingerprint="ab" * 32,
                commit="",
            )
        )


def _pair(
    key: dict[str, Any], base: str, other: str, scores: dict[str, dict[str, float]], means: dict[str, float]
) -> list[DifferenceRow]:
    out: list[DifferenceRow] = []
    common = [task for task in TASK_NAMES if task in scores[base] and task in scores[other]]
    for scope in ["mean of the types", *common]:
        a, b = (means[base], means[other]) if scope not in scores[base] else (scores[base][scope], scores[other][scope])
        half = 0.02 if scope.startswith("mean") else 0.05
        outcome = "tie" if abs(b - a) < half else "better" if b > a else "worse"
        out.append(
            DifferenceRow(
                **key,
                base=base,
                other=other,
                scope=scope,
                tasks=tuple(common),
                seeds=5,
                base_score=a,
                other_score=b,
                difference=b - a,
                low=b - a - half,
                high=b - a + half,
                p=0.01 if outcome != "tie" else 0.4,
                detectable=1.4 * half,
                confidence=0.5,
                outcome=outcome,
                reason="",
                remedy="",
                note="",
            )
        )
    return out


_BANDS: tuple[tuple[str, str, Level], ...] = (
    ("aps", "variety of the rows", "far"),
    ("vocabulary", "number of different words", "off"),
    ("label_noise", "labels that look wrong", "like real"),
)


def _beside(made: dict[str, list[Any]], name: str, task: str, rng: random.Random) -> None:
    from clinsynth.quality.record import NUMBERS

    for number in NUMBERS.values():
        value = None if number.name.startswith("entit") else rng.random() * (1000 if number.show == "count" else 1)
        made["quality"].append(
            QualityRow(
                data="real",
                submission=name,
                task=task,
                number=number.name,
                title=number.title,
                group=number.group,
                show=number.show,
                value=value,
                spread=None if value is None else 0.01 * value,
                reason="" if value is not None else "only span tasks have entity mentions",
                real=value,
                rows=300,
            )
        )
    made["bands"] += [
        BandRow(data="real", submission=name, task=task, number=number, title=title, level=level,
                words="0.1 against 0.2 of real rows", advice="" if level == "like real" else "ask for more variety")
        for number, title, level in _BANDS
    ]  # fmt: skip
    if name in METHODS:
        made["examples"] += [
            ExampleRow(submission=name, task=task, answer="relation", text=f"A <i>written</i> row {k}.")
            for k in range(2)
        ]
    failed = name == METHODS[1]
    made["audits"].append(AuditRow(
        data="real", submission=name, task=task, state="failed" if failed else "clean",
        reasons=("31 of 300 rows repeat or paraphrase a test example; 3 may",) if failed else (), rows=300,
        leaks=31 if failed else 0, excused=1, touched=12 if failed else 1, train_repeats=None, longest_words=11.0,
        private_share=0.0, private_real=0.001, canaries=None, score_shift=-0.012 if failed else None))  # fmt: skip
    if name in METHODS[:3]:
        made["generation"].append(GenerationRow(
            submission=name, task=task, baseline="naive", model="model_x", candidates=400, kept=300, calls=410,
            tokens_in=50000, tokens_out=21000, dollars=None, stopped=""))  # fmt: skip
        made["drops"] += [DropRow(submission=name, task=task, reason=reason, count=count)
                          for reason, count in (("not-json", 60), ("duplicate", 40))]  # fmt: skip


def write(folder: Path, methods: int = 10, conditions: int = len(RECIPES)) -> Snapshot:
    """Write the invented snapshot."""
    return write_snapshot(folder, tables(methods, conditions=conditions))
