"""clingen-kg: ClinGen (2311.00287) with topics from a knowledge source; see ``crossing`` for what the variants share.

Deviations from the paper and its released code:
- Any source of names can stand for iBKH (``--knowledge``). The paper has a file of topics for each label of
  classifications and relations and does not say how the graph gave them. Here labels have topics of their own where the
  source says what is theirs (``generation/knowledge/lists/labels.toml``); the others share the names.
- Related pairs serve every relation but the negative one, for which two names are drawn that it does not relate.
- Equally many rows a label; the released code makes so many rows *for each* label in text classification.
- Definitions of labels are the task's own. The released code has those of Medical Question Pairs exchanged.
- The first text of a pair serves one row of every label, as in the released code, and keeps its topic.
- Names are put in place of the markers of a relation by this project, not by the model, where the model leaves them.
- Mentions that the model lists but does not write are left out, as theirs are; offsets are found again in the text.
- The wording of all prompts is this project's; only their structure is the paper's. Answers are one JSON object.
- Styles are asked for once a task, thirty at most. How the paper's list was made is not published.
- Names are at most as long as theirs, 40 characters for entity recognition and 30 for pairs and attributes; in
  classification and relations, where theirs have no limit, 80. Answers have their 512 tokens, second texts 256.
- For entity recognition and attributes, a share of the rows is asked for without any name (``--without-mention``);
  theirs have one each. One row an answer; theirs may hold several in entity recognition.
- The second version's question answering (PubMedQA, BioASQ) is no task here.
- Multi-label rows take the label sets of the few-shot examples.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clinsynth.core import Row
from clinsynth.generation import Baseline, Budget, TaskView, Tools
from clinsynth.generation.asking import known_topics, topics_by_styles

PROMPTS = Path(__file__).parent / "prompts" / "clingen"


def generate(view: TaskView, tools: Tools, budget: Budget, rng: np.random.Generator) -> Iterator[Row]:
    """Topics are names, or related pairs of names, of the source of knowledge."""
    topics = known_topics(view.spec, tools.knowledge, tools.tally)
    yield from topics_by_styles(view, tools, budget, rng, prompts=PROMPTS, topics=topics)


BASELINE = Baseline(
    name="clingen-kg",
    title="ClinGen, topics from a knowledge source",
    description="ClinGen: topics from a knowledge source x styles from the model x few-shot examples",
    real_data="few-shot",
    generate=generate,
    needs=frozenset({"llm", "knowledge"}),
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
