"""clinsynth: how good is this synthetic clinical training data?"""

__version__ = "0.1.0"
