"""Verbs that write objects: apply, create, replace, edit, patch, delete, label, diff."""
