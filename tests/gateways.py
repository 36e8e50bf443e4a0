"""Servers that refuse as known ones do, each with the words of its public reports.

The forms are those of bug reports and documentation: Claude behind LiteLLM and Bedrock (BerriAI/litellm 15097,
aws-samples/bedrock-access-gateway 191), Gemini (ai.google.dev, OpenAI compatibility), Gemma on vLLM (vllm-project/vllm
2964), OpenAI's models that think first, checks of pydantic (Mistral and others), Azure's dated interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.scripted_server import Asked, Fail, Reaction, Say, Script

THOUGHTS = 512
"""Tokens that ``thinking`` spends before its first word."""


def answered(asked: Asked) -> Reaction:
    return Say(text=f"answer to {asked.prompt.split(chr(10))[-1]}")


def _google(*names: str) -> list[dict[str, Any]]:
    said = [f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.' for name in names]
    violations = [{"description": each} for each in said]
    details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
    return [{"error": {"code": 400, "message": "\n".join(said), "status": "INVALID_ARGUMENT", "details": details}}]


def claude(asked: Asked) -> Reaction:
    """One of the two may be set, and no stop may be blank."""
    if {"temperature", "top_p"} <= asked.body.keys():
        said = (
            'litellm.BadRequestError: AnthropicException - b\'{"type":"error","error":{"type":"invalid_request_error",'
            '"message":"`temperature` and `top_p` cannot both be specified for this model. Please use only one."}}\'. '
            "Received Model Group=claude"
        )
        return Fail(status=400, body={"error": {"message": said, "type": None, "param": None, "code": "400"}})
    if any(not stop.strip() for stop in asked.body.get("stop", ())):
        said = "stop_sequences: each stop sequence must contain non-whitespace"
        return Fail(status=400, body={"type": "error", "error": {"type": "invalid_request_error", "message": said}})
    return answered(asked)


def gemini(asked: Asked) -> Reaction:
    """Knows no seed; the body of its error is a list."""
    return Fail(status=400, body=_google("seed")) if "seed" in asked.body else answered(asked)


def gemma(asked: Asked) -> Reaction:
    """The chat template has no place for a system message."""
    if asked.body["messages"][0]["role"] == "system":
        body = {"object": "error", "message": "System role not supported", "type": "BadRequestError", "param": None,
                "code": 400}  # fmt: skip
        return Fail(status=400, body=body)
    return answered(asked)


def gemma_at_google(asked: Asked) -> Reaction:
    """The same model in another house."""
    if asked.body["messages"][0]["role"] == "system":
        said = "Developer instruction is not enabled for models/gemma-3-27b-it"
        return Fail(status=400, body=[{"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}}])
    return gemini(asked)


def thinking(asked: Asked) -> Reaction:
    """Another name for the room, a fixed temperature, and no word before it has thought for a while."""
    if "max_tokens" in asked.body:
        said = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        return Fail(status=400, message=said, code="unsupported_parameter", param="max_tokens")
    if asked.body.get("temperature", 1) != 1:
        said = (
            f"Unsupported value: 'temperature' does not support {asked.body['temperature']} with this model. Only the "
            "default (1) value is supported."
        )
        return Fail(status=400, message=said, code="unsupported_value", param="temperature")
    room = asked.body["max_completion_tokens"]
    if room <= THOUGHTS:
        return Say(text="", finish="length", tokens_out=room)
    return Say(text=f"answer to {asked.prompt}", tokens_out=THOUGHTS + 5)


def strict(asked: Asked) -> Reaction:
    """A check of pydantic, which names the place of what is too much."""
    extra = sorted(asked.body.keys() & {"seed", "top_p"})
    said = {"type": "extra_forbidden", "msg": "Extra inputs are not permitted"}
    detail = [{**said, "loc": ["body", name]} for name in extra]
    return Fail(status=422, body={"detail": detail}) if extra else answered(asked)


def newest(asked: Asked) -> Reaction:
    """A model without any sampling parameter."""
    if "temperature" in asked.body:
        said = "`temperature` is deprecated for this model."
        return Fail(status=400, body={"type": "error", "error": {"type": "invalid_request_error", "message": said}})
    return answered(asked)


def azure(asked: Asked) -> Reaction:
    """The dated interface: nothing without a version, and the key in a header of its own."""
    headers: Mapping[str, str] = {name.lower(): value for name, value in asked.headers.items()}
    if "api-version=2024-10-21" not in asked.path or "authorization" in headers:
        return Fail(status=404, body={"error": {"code": "404", "message": "Resource not found"}})
    if headers.get("api-key") != "azure-key":
        return Fail(status=401, body={"error": {"code": "401", "message": "Access denied due to invalid key"}})
    return answered(asked)


REFUSING: dict[str, tuple[Script, dict[str, str]]] = {
    "claude": (claude, {"top_p": "not sent: the server refuses it", "stop": "not sent: the server refuses it"}),
    "gemini": (gemini, {"seed": "not sent: the server refuses it"}),
    "gemma": (gemma, {"system": "put before the user's text"}),
    "gemma-at-google": (
        gemma_at_google, {"system": "put before the user's text", "seed": "not sent: the server refuses it"}
    ),
    "strict": (strict, dict.fromkeys(("seed", "top_p"), "not sent: the server refuses it")),
    "newest": (newest, {"temperature": "not sent: the server refuses it"}),
}  # fmt: skip
"""Each with what it makes a client leave out of a request that has everything."""
