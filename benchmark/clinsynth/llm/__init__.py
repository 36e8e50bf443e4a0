"""A model behind an OpenAI-compatible server: what is asked, kept, paid and limited."""

from clinsynth.llm.client import Client, ClientSettings

__all__ = ["Client", "ClientSettings"]
