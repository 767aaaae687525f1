"""The grammar of names, label keys and values, ports, paths and addresses. Pure module.

Each rule takes a text and returns what it breaks as a clause ("must be no more than 63 bytes"),
"" when it is fine. Sources: RFC 1123, RFC 1035, RFC 6335 (port names), and apimachinery's
util/validation for how Kubernetes applies them. Rules for texts that repeat from object to object
(keys, values) are memoised; object names, which do not repeat, are not.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

LABEL_BYTES_MAX = 63
SUBDOMAIN_BYTES_MAX = 253

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_ENV = re.compile(r"[ -<>-~]+")
_PORT = re.compile(r"[a-z0-9-]+")

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')"
)
_LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name', or 'abc-123')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com')"
)
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc')"
)


def _too_long(bytes_max: int) -> str:
    return f"must be no more than {bytes_max} bytes"


@lru_cache(maxsize=4096)
def label(text: str) -> str:
    """A DNS label of RFC 1123: namespaces, containers, volumes, host names."""
    if len(text) > LABEL_BYTES_MAX:
        return _too_long(LABEL_BYTES_MAX)
    return "" if _LABEL.fullmatch(text) else _LABEL_RULE


def service(text: str) -> str:
    """A DNS label of RFC 1035: the names of services, which must not start with a digit."""
    if len(text) > LABEL_BYTES_MAX:
        return _too_long(LABEL_BYTES_MAX)
    return "" if _LABEL_1035.fullmatch(text) else _LABEL_1035_RULE


def subdomain(text: str) -> str:
    """A DNS subdomain of RFC 1123: the names of most objects."""
    if len(text) > SUBDOMAIN_BYTES_MAX:
        return _too_long(SUBDOMAIN_BYTES_MAX)
    return "" if _SUBDOMAIN.fullmatch(text) else _SUBDOMAIN_RULE


@lru_cache(maxsize=4096)
def qualified(text: str) -> str:
    """The key of a label, annotation, taint or finalizer: a name, perhaps after a DNS prefix."""
    prefix, slash, name = text.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if slash and "/" in prefix:
        return (
            "a qualified name " + _QUALIFIED_RULE + " with an optional DNS subdomain prefix and "
            "'/' (e.g. 'example.com/MyName')"
        )
    if slash and (broken := subdomain(prefix)):
        return "prefix part " + broken
    if not name:
        return "name part must be non-empty"
    if len(name) > LABEL_BYTES_MAX:
        return "name part " + _too_long(LABEL_BYTES_MAX)
    return "" if _QUALIFIED.fullmatch(name) else "name part " + _QUALIFIED_RULE


@lru_cache(maxsize=4096)
def label_value(text: str) -> str:
    """The value of a label: empty, or like the name part of a key."""
    if len(text) > LABEL_BYTES_MAX:
        return _too_long(LABEL_BYTES_MAX)
    if not text or _QUALIFIED.fullmatch(text):
        return ""
    return "a valid label must be an empty string or " + _QUALIFIED_RULE.removeprefix("must ")


@lru_cache(maxsize=4096)
def config_key(text: str) -> str:
    """A key of a ConfigMap or Secret; it becomes a file name."""
    if len(text) > SUBDOMAIN_BYTES_MAX:
        return _too_long(SUBDOMAIN_BYTES_MAX)
    if not _CONFIG_KEY.fullmatch(text):
        return (
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
            "(e.g. 'key.name', or 'KEY_NAME', or 'key-name')"
        )
    if text in (".", "..") or text.startswith(".."):
        return "must not start with '..' and must not be '.'"
    return ""


@lru_cache(maxsize=4096)
def env(text: str) -> str:
    """The name of an environment variable."""
    if _ENV.fullmatch(text):
        return ""
    return (
        "a valid environment variable name must consist only of printable ASCII characters "
        "other than '='"
    )


@lru_cache(maxsize=4096)
def port_name(text: str) -> str:
    """The name of a container's port (RFC 6335 section 5.1)."""
    if len(text) > 15:
        return "must be no more than 15 characters"
    if not _PORT.fullmatch(text):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if "--" in text:
        return "must not contain consecutive hyphens"
    if text[0] == "-" or text[-1] == "-":
        return "must not begin or end with a hyphen"
    if not any(character.isalpha() for character in text):
        return "must contain at least one letter (a-z)"
    return ""


def port(number: int) -> str:
    """A port number."""
    return "" if 0 < number < 65536 else "must be between 1 and 65535, inclusive"


@lru_cache(maxsize=4096)
def ip(text: str) -> str:
    """An IPv4 or IPv6 address, e.g. 10.9.8.7."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
    return "" if "%" not in text else "must be an IP address without a zone"


def ipv4(text: str) -> str:
    """An IPv4 address."""
    return "must be an IPv4 address" if ip(text) or ":" in text else ""


@lru_cache(maxsize=4096)
def cidr(text: str) -> str:
    """A network with its prefix length, e.g. 10.244.3.0/24."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return "" if "/" in text else "must be a valid CIDR value, (e.g. 10.9.8.0/24)"


def relative_path(text: str) -> str:
    """A path inside a volume: relative, never upward."""
    if text.startswith("/"):
        return "must be a relative path"
    return no_upward(text)


def no_upward(text: str) -> str:
    """A path without a '..' step."""
    return "must not contain '..'" if ".." in text.split("/") else ""
