"""How a room is entered: by the names in its ``__init__.pyi``, each of which is imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def door(room: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a room, from the stub beside ``file``; entering it loads nothing by itself."""
    lazy_loader: Any = importlib.import_module("lazy_loader")
    getter, lister, _ = lazy_loader.attach_stub(room, file)
    return getter, lister
