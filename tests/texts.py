"""Any text, for properties: what UTF-8 carries.

`st.text()` means the same characters, but first asks for each of the million whether UTF-8 has it:
two seconds in every process, where no table of an earlier run is at hand.
"""

from __future__ import annotations

from hypothesis import strategies as st

CHARACTERS = st.characters(exclude_categories=["Cs"])


def texts(size_max: int | None = None) -> st.SearchStrategy[str]:
    """Of any length, or of so many characters at most."""
    return st.text(CHARACTERS, max_size=size_max)
