"""Tune a generative language model on synthetic notes: low-rank adapters (Hu et al., 2106.09685) through peft.

First the notes themselves are read, then, as each row of ``clinsynth notes`` is a request and its answer, the rows with
the loss over the answer alone: Asclepius' two stages. What comes out is a whole model, adapters merged, that
``clinsynth direct --model hf`` and lm-eval take as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clinsynth.core import UserError, progress, sha256_lines, write_json
from clinsynth.generation.notes import NoteRow, read_table

RECORD = "tuning.json"
IGNORED = -100
"""The label of tokens that the loss leaves out (transformers)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuneSettings:
    """How the model is tuned: three epochs, cosine and warm-up as Asclepius'; rate and rank as usual for adapters."""

    model: str
    """A folder, or a name on the Hugging Face hub."""
    epochs: float = 3.0
    note_epochs: float = 1.0
    """Passes over the notes alone, before the rows; 0 for none."""
    learning_rate: float = 2e-4
    batch_size: int = 8
    """Rows per step."""
    micro_batch: int = 1
    """Rows at a time; memory, not the result, depends on it."""
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    max_length: int = 2048
    """Tokens of request and answer; longer rows are left out and counted."""
    warmup: float = 0.03
    """Share of the steps."""
    seed: int = 0
    device: str = "auto"

    def check(self) -> None:
        """Raise ``UserError`` for what cannot be."""
        for name in ("epochs", "learning_rate", "batch_size", "micro_batch", "rank", "alpha", "max_length"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} {getattr(self, name)}", expected="above 0")
        if self.note_epochs < 0:
            raise UserError(f"note_epochs {self.note_epochs}", expected="0 or more")


@dataclass(frozen=True, slots=True)
class Tuned:
    """The record of a tuning."""

    rows: int
    """Rows that were learnt from."""
    left_out: dict[str, int]
    """Rows that were not, by reason."""
    steps: int
    first_loss: float
    last_loss: float
    """Mean over the first and the last tenth of the steps."""
    trainable: int
    parameters: int
    device: str
    dtype: str


def request_of(row: NoteRow) -> str:
    """The prompt, up to where the answer begins: the same as that of the suite ``asclepius-notes``."""
    from clinsynth.direct.suites import prompt

    return prompt(row)


def tune_llm(notes: Path, out: Path, settings: TuneSettings) -> Tuned:
    """Tune a model on rows of notes and write it to ``out``, with a record of how it was made.

    Raises:
        UserError: peft is missing, the rows or the model cannot be read, no row fits, or ``out`` holds something else.
    """
    settings.check()
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty", remedy="choose another --out")
    rows = read_table(notes)
    torch, transformers, peft = (_library(name) for name in ("torch", "transformers", "peft"))
    device, dtype = _hardware(torch, settings.device)
    with _offline_errors(settings.model):
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(settings.model)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(settings.model, dtype=dtype)
    examples, left_out = _encode(rows, tokenizer, settings.max_length)
    if not examples:
        raise UserError("no row fits the model", found=json.dumps(left_out), remedy="raise --max-length")
    with torch.random.fork_rng(), _deterministic(torch, settings.seed):
        adapters = peft.LoraConfig(
            r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules="all-linear",
            task_type="CAUSAL_LM",
        )  # fmt: skip
        with warnings.catch_warnings():
            # peft still asks for a name that transformers has replaced.
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            tuned: Any = peft.get_peft_model(model, adapters).to(device)
        pad = tokenizer.pad_token_id or tokenizer.eos_token_id or 0
        notes_alone = _encode_notes(rows, tokenizer, settings.max_length) if settings.note_epochs else []
        if notes_alone:
            _train(torch, tuned, notes_alone, pad, replace(settings, epochs=settings.note_epochs), device)
        losses = _train(torch, tuned, examples, pad, settings, device)
    tenth = max(1, len(losses) // 10)
    trainable = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    result = Tuned(
        len(examples), left_out, len(losses), sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth,
        trainable, sum(p.numel() for p in tuned.parameters()), device, str(dtype).removeprefix("torch."),
    )  # fmt: skip
    merged: Any = tuned.merge_and_unload()
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    write_json(
        out / RECORD,
        {"settings": asdict(settings), **asdict(result), "notes_sha256": sha256_lines(asdict(row) for row in rows)},
    )
    return result


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"this needs {name}", remedy='pip install "clinsynth[llm]"') from error


def _hardware(torch: Any, wanted: str) -> tuple[str, Any]:
    device = ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
    native = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
    return device, torch.bfloat16 if native else torch.float32


@contextlib.contextmanager
def _offline_errors(model: str) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()
        raise UserError(
            f"{model} cannot be loaded", found=first[0] if first else type(error).__name__,
            expected="a folder of transformers, or a name on the hub",
        ) from error  # fmt: skip


@contextlib.contextmanager
def _deterministic(torch: Any, seed: int) -> Generator[None]:
    torch.manual_seed(seed)
    yield


def _encode(
    rows: Sequence[NoteRow], tokenizer: Any, max_length: int
) -> tuple[list[tuple[list[int], int]], dict[str, int]]:
    """Tokens of each row, with the number of those that are the request."""
    examples: list[tuple[list[int], int]] = []
    left_out: Counter[str] = Counter()
    end: list[int] = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    for row in rows:
        if not row.answer.strip():
            left_out["empty-answer"] += 1
            continue
        asked: list[int] = tokenizer(request_of(row))["input_ids"]
        said: list[int] = tokenizer(f" {row.answer.strip()}", add_special_tokens=False)["input_ids"] + end
        if asked and asked[-1] == tokenizer.eos_token_id:
            asked = asked[:-1]  # some tokenizers end every text
        if len(asked) + len(said) > max_length:
            left_out["too-long"] += 1
        else:
            examples.append((asked + said, len(asked)))
    return examples, dict(left_out)


def _encode_notes(rows: Sequence[NoteRow], tokenizer: Any, max_length: int) -> list[tuple[list[int], int]]:
    """Each note once, as far as it fits; all of its tokens but the first are learnt."""
    notes = [tokenizer(note)["input_ids"][:max_length] for note in dict.fromkeys(row.note for row in rows)]
    return [(note, 1) for note in notes if len(note) > 1]


def _train(
    torch: Any, model: Any, examples: Sequence[tuple[list[int], int]], pad: int, settings: TuneSettings, device: str
) -> list[float]:
    """The loss of each step: cosine schedule with a warm-up, one optimiser step per batch, mean over answer tokens."""
    generator = torch.Generator().manual_seed(settings.seed)
    steps = max(1, math.ceil(len(examples) * settings.epochs / settings.batch_size))
    warm = max(1, math.ceil(steps * settings.warmup))

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=settings.learning_rate,
                                  weight_decay=0.0)  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    order = _endless(torch, len(examples), generator)
    losses: list[float] = []
    model.train()
    with progress("tune-llm", steps) as bar:
        for _ in range(steps):
            batch = [examples[next(order)] for _ in range(min(settings.batch_size, len(examples)))]
            answers = sum(len(tokens) - asked for tokens, asked in batch)
            loss = 0.0
            for start in range(0, len(batch), settings.micro_batch):
                tensors = _tensors(torch, batch[start : start + settings.micro_batch], pad, device)
                logits = model(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"]).logits
                summed = torch.nn.functional.cross_entropy(
                    logits[:, :-1].float().flatten(0, 1), tensors["labels"][:, 1:].flatten(), ignore_index=IGNORED,
                    reduction="sum",
                )  # fmt: skip
                (summed / answers).backward()
                loss += float(summed.detach()) / answers
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            losses.append(loss)
            bar.advance(1)
    return losses


def _endless(torch: Any, size: int, generator: Any) -> Iterator[int]:
    """Every row once, in another order each time round."""
    while True:
        yield from torch.randperm(size, generator=generator).tolist()


def _tensors(torch: Any, batch: Sequence[tuple[list[int], int]], pad: int, device: str) -> dict[str, Any]:
    longest = max(len(tokens) for tokens, _ in batch)
    ids = [tokens + [pad] * (longest - len(tokens)) for tokens, _ in batch]
    mask = [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens, _ in batch]
    labels = [[IGNORED] * asked + tokens[asked:] + [IGNORED] * (longest - len(tokens)) for tokens, asked in batch]
    named = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return {name: torch.tensor(values, device=device) for name, values in named.items()}
