"""Objects as text and back: JSON and YAML as Kubernetes writes them, and the normal form.

`encode` and `decode` are made per message type from its descriptor, `forms` holds the types that
JSON writes specially, `normal` the normal form, `documents` and `printing` YAML, `objects` whole
objects by their apiVersion and kind. Nothing here knows what a field means: defaults and
validation stand in api/objects. Pure package.
"""

from holdfast.api.codec.decode import from_json
from holdfast.api.codec.documents import Document, load_json, load_yaml
from holdfast.api.codec.encode import to_json, to_json_bytes
from holdfast.api.codec.faults import is_unknown, refusal
from holdfast.api.codec.normal import normalize
from holdfast.api.codec.objects import decode_object
from holdfast.api.codec.printing import dump_yaml
from holdfast.api.codec.wire import with_revision

__all__ = [
    "Document",
    "decode_object",
    "dump_yaml",
    "from_json",
    "is_unknown",
    "load_json",
    "load_yaml",
    "normalize",
    "refusal",
    "to_json",
    "to_json_bytes",
    "with_revision",
]
