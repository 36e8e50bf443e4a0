"""Suites beside the benchmark's tasks: ClinicalGPT's four evaluations, and Asclepius' questions about notes."""
