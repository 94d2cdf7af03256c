"""Go's Sprintf for the values of templates."""

from __future__ import annotations

from cp.config.template.errors import FunctionError
from cp.config.template.fmt import Printer
from cp.config.template.values import MAX_TEXT, Byte, Slice, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cp.config.template.values import Value

#: Go does not accept widths and precisions beyond this.
_TOO_LARGE = 1_000_000
_FLAGS = "#0+- "


def sprintf(form: str, values: Sequence[Value]) -> str:
    """Format the values by the verbs of the form. Errors of the form are in the result, as `%!d(MISSING)`.

    Raises FunctionError if the result would be longer than MAX_TEXT.
    """
    return _Format(form, values).run()


class _Format:
    """The state of formatting: the offset in the form, and the next value."""

    __slots__ = ("form", "good_index", "indexed", "next", "offset", "reordered", "size", "values")

    def __init__(self, form: str, values: Sequence[Value]) -> None:
        self.form = form
        self.values = values
        self.offset = 0
        self.next = 0
        self.reordered = False  # the form has an index, so values that are left over are not an error
        self.indexed = False  # an index comes directly before
        self.good_index = True
        self.size = 0  # of the formatted values, roughly

    def run(self) -> str:
        parts = []
        form = self.form
        while True:
            percent = form.find("%", self.offset)
            if percent < 0:
                parts.append(form[self.offset :])
                break
            parts.append(form[self.offset : percent])
            self.offset = percent + 1
            printer = Printer()
            parts += self.flags(printer)
            if self.offset >= len(form):
                parts.append("%!(NOVERB)")
                break
            verb = form[self.offset]
            self.offset += 1
            parts.append(self.verb(printer, verb))
        if not self.reordered and self.next < len(self.values):
            printer = Printer()
            extra = [
                "<nil>" if value is None else f"{type_name(value)}={printer.show(value, 'v')}"
                for value in self.values[self.next :]
            ]
            parts.append(f"%!(EXTRA {', '.join(extra)})")
        return "".join(parts)

    def verb(self, printer: Printer, verb: str) -> str:
        if verb == "%":
            return "%"
        if 0xD800 <= ord(verb) <= 0xDFFF:
            verb = "\ufffd"
        if not self.good_index:
            return f"%!{verb}(BADINDEX)"
        if self.next >= len(self.values):
            return f"%!{verb}(MISSING)"
        if verb in "vw":
            printer.go_syntax, printer.sharp = printer.sharp, False
            printer.plus = False
        value = self.values[self.next]
        self.next += 1
        self.size += _size(value, max(printer.width or 0, printer.precision or 0))
        if self.size > MAX_TEXT:
            raise FunctionError(f"printf: the result has more than {MAX_TEXT} characters")
        return printer.show(value, verb)

    def flags(self, printer: Printer) -> list[str]:
        """Parse the part between `%` and the verb. Return the texts for its errors."""
        wrong = []
        form = self.form
        while self.offset < len(form) and form[self.offset] in _FLAGS:
            flag = form[self.offset]
            self.offset += 1
            if flag == "#":
                printer.sharp = True
            elif flag == "0":
                printer.zero = True
            elif flag == "+":
                printer.plus = True
            elif flag == "-":
                printer.minus = True
            else:
                printer.space = True
        self.good_index = True
        self.index()
        if form.startswith("*", self.offset):
            printer.width = self.star()
            if printer.width is None:
                wrong.append("%!(BADWIDTH)")
            elif printer.width < 0:
                printer.width = -printer.width
                printer.minus = True
                printer.zero = False
        else:
            printer.width = self.number()
            if self.indexed and printer.width is not None:  # %[3]2d
                self.good_index = False
        if form.startswith(".", self.offset) and self.offset + 1 < len(form):
            self.offset += 1
            if self.indexed:  # %[3].2d
                self.good_index = False
            self.index()
            if form.startswith("*", self.offset):
                printer.precision = self.star()
                if printer.precision is not None and printer.precision < 0:
                    printer.precision = None
                if printer.precision is None:
                    wrong.append("%!(BADPREC)")
            else:
                printer.precision = self.number() or 0
        if not self.indexed:
            self.index()
        return wrong

    def number(self) -> int | None:
        start = self.offset
        while self.offset < len(self.form) and self.form[self.offset] in "0123456789":
            self.offset += 1
        value = _decimal(self.form[start : self.offset])
        if value is None and self.offset > start:
            self.offset = len(self.form)  # Go does not use the rest of the form
        return value

    def star(self) -> int | None:
        self.offset += 1
        self.indexed = False
        value = self.values[self.next] if self.next < len(self.values) else None
        if self.next < len(self.values):
            self.next += 1
        if (type(value) is int or type(value) is Byte) and -_TOO_LARGE <= value <= _TOO_LARGE:
            return int(value)
        return None

    def index(self) -> None:
        """Parse `[n]`, which selects the next value, from 1."""
        self.indexed = False
        if not self.form.startswith("[", self.offset):
            return
        self.reordered = True
        end = self.form.find("]", self.offset)
        if end < 0 or len(self.form) < self.offset + 3:
            self.good_index = False
            self.offset += 1
            return
        digits = self.form[self.offset + 1 : end]
        self.offset = end + 1
        number = _decimal(digits) if not digits.strip("0123456789") else None
        self.indexed = number is not None
        if number is not None and 1 <= number <= len(self.values):
            self.next = number - 1
        else:
            self.good_index = False


def _size(value: Value, width: int) -> int:
    """The characters of a value, or of its items, at this width, without escapes."""
    if isinstance(value, Slice):
        return len(value) * max(width, 1)
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(len, value.values())) + 2 * len(value) * width
    return max(width, len(value)) if isinstance(value, str) else width


def _decimal(digits: str) -> int | None:
    """Parse a number of a form; None if there are no digits, or if it is too large for a width."""
    if not digits or len(digits.lstrip("0")) > 8:
        return None
    number = int(digits)
    return number if number // 10 <= _TOO_LARGE else None
