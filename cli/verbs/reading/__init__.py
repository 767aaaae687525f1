"""Verbs that show what there is: get, describe, events, explain, api-resources, wait."""
