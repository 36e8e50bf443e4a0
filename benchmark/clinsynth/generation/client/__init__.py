"""A model behind an OpenAI-compatible server: what is asked, kept, paid and limited."""

from clinsynth.generation.client.core import Client, ClientSettings

__all__ = ["Client", "ClientSettings"]
