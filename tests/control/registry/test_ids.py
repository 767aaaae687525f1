"""Random ids: their form, and that a request's own are the same at each repeat."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.registry.batches import commit_id
from holdfast.control.registry.ids import SUFFIX_ALPHABET, Derived, Ids


@given(st.binary(min_size=16, max_size=16))
def test_a_request_draws_the_same_again(request_id: bytes) -> None:
    ids = Ids(random.Random(1), Derived)
    first, again = ids.of_request(request_id), ids.of_request(request_id)
    drawn = [(i.uid(), i.suffix(), i.below(1000)) for i in (first, again)]
    assert drawn[0] == drawn[1]
    assert first.uid() != drawn[0][0]
    assert 0 <= drawn[0][2] < 1000
    assert set(drawn[0][1]) <= set(SUFFIX_ALPHABET)
    assert drawn[0][0][14] == "4"
    assert drawn[0][0][19] in "89ab"


def test_without_an_id_it_is_the_common_source() -> None:
    ids = Ids(random.Random(1), Derived)
    assert ids.of_request(b"") is ids
    names = {ids.suffix() for _ in range(2000)}
    assert len(names) > 1990


def test_each_commit_of_a_request_has_an_id_of_its_own() -> None:
    request = bytes(16)
    made = [commit_id(request, group, attempt) for group in range(5) for attempt in range(5)]
    assert made[0] == request
    assert len(dict.fromkeys(made)) == 25
    assert commit_id(b"", 3, 2) == b""
