"""The views as functions for programs: one endpoint a view, and one for every form of export."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

from clinsynth.export import FORMATS, as_json
from clinsynth.snapshot import Snapshot
from clinsynth.views import TITLES, VIEWS, page


def made_for(snapshot: Snapshot, refusal: type[Exception]) -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Name, function and description of every endpoint; ``refusal`` is an error whose words the caller gets."""
    for view in VIEWS:
        keys = [one.key for one in page(snapshot, view, {}).filters]
        known = f"Filters, each optional: {', '.join(keys)}." if keys else "It has no filters."
        yield view, _of_view(snapshot, view, keys), f"The view “{TITLES[view]}” as JSON. {known}"
    yield (
        "export",
        _export(snapshot, refusal),
        f"A view as text. Formats: {', '.join(FORMATS)}. Filters as a JSON object.",
    )
    yield "snapshot", _manifest(snapshot), "What the snapshot is."


def _of_view(snapshot: Snapshot, view: str, keys: list[str]) -> Callable[..., dict[str, Any]]:
    def data(*values: str) -> dict[str, Any]:
        query = {key: str(value)[:2000] for key, value in zip(keys, values, strict=False) if value}
        return json.loads(as_json(snapshot, page(snapshot, view, query)))

    # Gradio reads parameters from the signature: each filter is one, and may be left out.
    text = inspect.Parameter.POSITIONAL_OR_KEYWORD
    data.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(key, text, default="", annotation=str) for key in keys], return_annotation=dict
    )
    data.__annotations__ = dict.fromkeys(keys, str) | {"return": dict}
    data.__name__ = view
    return data


def _export(snapshot: Snapshot, refusal: type[Exception]) -> Callable[..., str]:
    def export(view: str = "overall", form: str = "csv", filters: str = "{}") -> str:
        if view not in VIEWS or form not in FORMATS:
            raise refusal(f"views: {', '.join(VIEWS)}; formats: {', '.join(FORMATS)}")
        try:
            given: Any = json.loads(filters)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise refusal('filters: a JSON object, such as {"task": "gad"}')
        query = {str(key): str(value)[:2000] for key, value in cast("dict[Any, Any]", given).items()}
        return FORMATS[form](snapshot, page(snapshot, view, query))

    export.__annotations__ = {"view": str, "form": str, "filters": str, "return": str}
    return export


def _manifest(snapshot: Snapshot) -> Callable[..., dict[str, Any]]:
    def manifest() -> dict[str, Any]:
        return snapshot.manifest.model_dump(mode="json")

    manifest.__annotations__ = {"return": dict}
    return manifest
