"""clingen-llm: ClinGen (2311.00287) with topics that the model names; see ``crossing`` for what the variants share.

Deviations from the paper and its released code, beside those that ``clingen_kg`` names for both:
- Topics are asked for in this project's wording, fifty a request. The paper's prompt asks for 300 of a type at once, a
  reviewer read 100; here for 300 in all, and never for more than there will be rows of them. A list may end up shorter.
- One list for each label in classification and relations, as in the released files, else one for each kind of name.
- Topics of a relation are pairs, so that both names come from one thought; how the paper pairs them is not published.
- Lists are text files that can be read and edited, and are used as they are in the next run.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.asking import topics_by_styles

PROMPTS = Path(__file__).parent / "prompts" / "clingen"


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Topics come from the model's own lists."""
    yield from topics_by_styles(view, tools, budget, rng, prompts=PROMPTS, topics=None)


BASELINE = Baseline(
    name="clingen-llm",
    title="ClinGen, topics from the model",
    description="ClinGen: topics and styles from the model itself x few-shot examples",
    real_data="few-shot",
    generate=generate,
    needs=frozenset({"llm"}),
    citation="""@inproceedings{xu2024clingen,
  title = {Knowledge-Infused Prompting: Assessing and Advancing Clinical Text Data Generation with Large Language
           Models},
  author = {Xu, Ran and Cui, Hejie and Yu, Yue and Kan, Xuan and Shi, Wenqi and Zhuang, Yuchen and Wang, May Dongmei and
            Jin, Wei and Ho, Joyce and Yang, Carl},
  booktitle = {Findings of the Association for Computational Linguistics: ACL 2024},
  pages = {15496--15523},
  year = {2024}
}""",
)
