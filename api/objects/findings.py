"""What is wrong with an object, collected field by field, in Kubernetes' words. Pure module.

Validators take a path, a value and a Findings and go on after each fault, so that one answer
names everything that must be fixed. Paths are built by the caller as text; the wording follows
apimachinery's util/validation/field errors.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.api.errors import Cause, CauseReason

IMMUTABLE = "field is immutable"
_SHOWN_MAX = 200


def _quoted(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = str(value)
    shown = text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Findings(list[Cause]):
    """The causes found so far; each method adds one."""

    def _add(self, reason: CauseReason, path: str, message: str) -> None:
        self.append(Cause(reason, path, message))

    def required(self, path: str, detail: str = "") -> None:
        """A field that must be set is not."""
        self._add(CauseReason.REQUIRED, path, "Required value" + (f": {detail}" if detail else ""))

    def invalid(self, path: str, value: object, detail: str) -> None:
        """A value that breaks its rule. detail: the rule."""
        message = f"Invalid value: {_quoted(value)}: {detail}"
        self._add(CauseReason.INVALID, path, message)

    def unsupported(self, path: str, value: object, supported: Iterable[str]) -> None:
        """A value outside a closed set."""
        words = ", ".join(_quoted(word) for word in supported)
        message = f"Unsupported value: {_quoted(value)}: supported values: {words}"
        self._add(CauseReason.NOT_SUPPORTED, path, message)

    def duplicate(self, path: str, value: object) -> None:
        """A value that must be unique among its neighbours is not."""
        self._add(CauseReason.DUPLICATE, path, f"Duplicate value: {_quoted(value)}")

    def forbidden(self, path: str, detail: str) -> None:
        """A field that may not be set, or not be changed, here."""
        self._add(CauseReason.FORBIDDEN, path, f"Forbidden: {detail}")

    def not_found(self, path: str, value: object) -> None:
        """A reference inside the object to something it does not hold."""
        self._add(CauseReason.INVALID, path, f"Not found: {_quoted(value)}")

    def too_long(self, path: str, bytes_max: int) -> None:
        """A value larger than its limit in bytes."""
        self._add(CauseReason.TOO_LONG, path, f"Too long: may not be more than {bytes_max} bytes")

    def not_built(self, path: str, detail: str) -> None:
        """A field the schema knows and Holdfast would ignore, therefore refused."""
        self._add(CauseReason.NOT_BUILT, path, detail)

    def rule(self, path: str, value: str, broken: str) -> None:
        """The outcome of a rule of `names`: nothing when broken is "", else an invalid value."""
        if broken:
            self.invalid(path, value, broken)

    def name(self, path: str, value: str, broken: str) -> None:
        """Like `rule`, for a value that is also required."""
        if not value:
            self.required(path)
        elif broken:
            self.invalid(path, value, broken)

    def one_of(self, path: str, value: str, supported: tuple[str, ...]) -> None:
        """A required value of a closed set."""
        if value not in supported:
            if value:
                self.unsupported(path, value, supported)
            else:
                self.required(path, "one of " + ", ".join(supported))

    def not_negative(self, path: str, value: int) -> None:
        """A number that may not be below zero."""
        if value < 0:
            self.invalid(path, value, "must be greater than or equal to 0")
