"""How rows are cut into statements."""

from __future__ import annotations

from holdfast.control.store import image


def test_portions_cover_all_rows_and_have_few_sizes() -> None:
    sizes = set()
    for count in range(3_000):
        cuts = list(image.portions(count))
        assert [at for start, end in cuts for at in range(start, end)] == list(range(count))
        sizes |= {end - start for start, end in cuts}
    assert max(sizes) == image.ROWS_MAX
    assert len(sizes) == 68  # 1 … 63, and 64, 128 … 1,024


def test_few_rows_are_one_statement() -> None:
    assert all(len(list(image.portions(count))) == 1 for count in range(1, image.ROWS_EXACT))
    assert image.insertion("t", 2, 2) == "INSERT INTO t VALUES (?, ?), (?, ?)"
