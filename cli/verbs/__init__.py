"""One module a verb (or a family of verbs); each exports its click command as `command`."""
