"""Holdfast: a container orchestrator. Each part is a folder at the root, linked here."""
