"""The opaque token of a list that is read in pages at one revision. Pure module."""

from __future__ import annotations

import base64
import binascii
import json
from typing import NamedTuple

from holdfast.api.errors import ApiError, Reason


class Page(NamedTuple):
    """Where the next page begins: after this object, in the list as it was at this revision.

    remaining: objects from there on, -1 = not known (selectors).
    """

    revision: int
    resource: str
    within: str
    namespace: str
    name: str
    remaining: int


def token_of(page: Page) -> str:
    """The token."""
    return base64.urlsafe_b64encode(json.dumps(page).encode()).decode()


def page_of(token: str, resource: str, namespace: str) -> Page:
    """The page a token stands for. Raises ApiError BadRequest for one that this request did not
    get from a page before it."""
    try:
        page = Page(*json.loads(base64.urlsafe_b64decode(token)))
        texts = all(isinstance(text, str) for text in page[1:5])
        numbers = isinstance(page.revision, int) and isinstance(page.remaining, int)
    except (ValueError, TypeError, binascii.Error):
        texts = numbers = False
    if not texts or not numbers:
        raise ApiError(Reason.BAD_REQUEST, "continue_token is not one that this server gave out")
    if (page.resource, page.within) != (resource, namespace):
        message = f"continue_token belongs to another list, of {page.resource}"
        raise ApiError(Reason.BAD_REQUEST, message)
    return page
