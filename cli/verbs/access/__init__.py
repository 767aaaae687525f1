"""Verbs about who may come in: token, certificate, config."""
