"""Verbs for machines: cordon, uncordon, drain, taint."""
