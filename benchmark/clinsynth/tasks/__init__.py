"""Every module of the repository's ``tasks/`` folder, under one import name."""

from pathlib import Path

_checkout = Path(__file__).parents[3] / "tasks"
if _checkout.is_dir():  # in a wheel the modules lie beside this file
    __path__.append(str(_checkout))
