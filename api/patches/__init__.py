"""Patches over JSON trees: the three that a server takes, and those that a client computes.

`json_patch` RFC 6902, `merge` RFC 7386 and its difference, `strategic` the merge that knows each
list's key, `three_way` what client-side apply sends. No function changes its arguments; results
may share parts with them. Every fault is an ApiError for the person who wrote the patch.
Pure package.
"""

from holdfast.api.patches.json_patch import json_patch
from holdfast.api.patches.merge import diff, merge_patch
from holdfast.api.patches.strategic import strategic_patch
from holdfast.api.patches.three_way import three_way

__all__ = ["diff", "json_patch", "merge_patch", "strategic_patch", "three_way"]
