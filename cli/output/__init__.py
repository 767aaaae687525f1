"""How objects are shown: tables, YAML and JSON, names, JSONPath templates."""
