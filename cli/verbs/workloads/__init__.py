"""Verbs for what runs: scale, rollout, set, expose, run, logs, exec."""
