"""What people ask for: words, files and flags, as kinds, names and objects."""
