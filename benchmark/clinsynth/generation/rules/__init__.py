"""Rows without a model: patterns filled with names, and altered examples."""
