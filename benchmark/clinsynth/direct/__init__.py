"""The direct track: a generative language model answers the tasks itself, through lm-eval.

Same test sets, same metrics and the same predictions by position as the student track, so that both can be compared.
"""

from clinsynth._doors import door

__getattr__, __dir__ = door(__name__, __file__)
