"""Trees as YAML in Kubernetes' style: block style, literal text, quotes only where needed.

Pure module.
"""

from __future__ import annotations

from typing import Any

import yaml

from holdfast.api.codec import scalars

_TEXT = "tag:yaml.org,2002:str"
_WIDTH = 2**31 - 1  # lines are never folded


def dump_yaml(tree: Any) -> str:
    """The tree as one YAML document that ends in a newline; keys keep their order."""
    text: str = yaml.dump(
        tree,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=_WIDTH,
    )
    return text


class _Dumper(yaml.CSafeDumper):
    """libyaml's printer with our rules for plain scalars."""

    def ignore_aliases(self, _data: Any) -> bool:
        """A list that stands twice is written twice."""
        return True

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """The tag that a node printed without one would be read with: ours, not PyYAML's."""
        if kind is not yaml.ScalarNode:
            return _MAP if kind is yaml.MappingNode else _SEQUENCE
        found = scalars.resolve(value) if implicit[0] else value
        return _TEXT if isinstance(found, str) else _TAGS[type(found)]


_MAP = "tag:yaml.org,2002:map"
_SEQUENCE = "tag:yaml.org,2002:seq"
_TAGS = {
    bool: "tag:yaml.org,2002:bool",
    int: "tag:yaml.org,2002:int",
    float: "tag:yaml.org,2002:float",
    type(None): "tag:yaml.org,2002:null",
}


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else '"' if scalars.looks_otherwise(value) else None
    return dumper.represent_scalar(_TEXT, value, style=style)


_Dumper.add_representer(str, _text)
