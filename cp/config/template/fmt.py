"""Go's fmt: Sprint, Sprintln and Sprintf for the values of templates."""

from __future__ import annotations

from cp.config.template.values import Byte, Slice, sorted_items, to_bytes, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cp.config.template.values import Value

#: Widths and precisions beyond this are no numbers for Go.
_TOO_LARGE = 1_000_000
_FLAGS = "#0+- "
_BASES = {"d": (10, "d"), "v": (10, "d"), "b": (2, "b"), "o": (8, "o"), "O": (8, "o"), "x": (16, "x"), "X": (16, "X")}
_PREFIXES = {2: "0b", 16: "0x"}
_REPLACEMENT = "\ufffd"


def sprint(*values: Value) -> str:
    """The values one after the other, with a space between two that are no strings."""
    printer = _Printer()
    parts = []
    after_string = True
    for value in values:
        is_string = isinstance(value, str)
        if not is_string and not after_string:
            parts.append(" ")
        parts.append(printer.show(value, "v"))
        after_string = is_string
    return "".join(parts)


def sprintln(*values: Value) -> str:
    """The values with spaces between and a line feed at the end."""
    printer = _Printer()
    return " ".join([printer.show(value, "v") for value in values]) + "\n"


def sprintf(form: str, values: Sequence[Value]) -> str:
    """The values as the verbs of the form say; what is wrong with it is said in the text, as `%!d(MISSING)`."""
    return _Format(form, values).run()


class _Format:
    """A form that is being read: where it is read, and which value is next."""

    __slots__ = ("at", "form", "good_index", "indexed", "next", "reordered", "values")

    def __init__(self, form: str, values: Sequence[Value]) -> None:
        self.form = form
        self.values = values
        self.at = 0
        self.next = 0
        self.reordered = False  # an index was given: then values that are left over are no mistake
        self.indexed = False  # the index stands directly before
        self.good_index = True

    def run(self) -> str:
        parts = []
        form = self.form
        while True:
            percent = form.find("%", self.at)
            if percent < 0:
                parts.append(form[self.at :])
                break
            parts.append(form[self.at : percent])
            self.at = percent + 1
            printer = _Printer()
            parts += self.flags(printer)
            if self.at >= len(form):
                parts.append("%!(NOVERB)")
                break
            verb = form[self.at]
            self.at += 1
            parts.append(self.verb(printer, verb))
        if not self.reordered and self.next < len(self.values):
            printer = _Printer()
            extra = [
                "<nil>" if value is None else f"{type_name(value)}={printer.show(value, 'v')}"
                for value in self.values[self.next :]
            ]
            parts.append(f"%!(EXTRA {', '.join(extra)})")
        return "".join(parts)

    def verb(self, printer: _Printer, verb: str) -> str:
        if verb == "%":
            return "%"
        if 0xD800 <= ord(verb) <= 0xDFFF:
            verb = _REPLACEMENT
        if not self.good_index:
            return f"%!{verb}(BADINDEX)"
        if self.next >= len(self.values):
            return f"%!{verb}(MISSING)"
        if verb in "vw":
            printer.go_syntax, printer.sharp = printer.sharp, False
            printer.plus = False
        value = self.values[self.next]
        self.next += 1
        return printer.show(value, verb)

    def flags(self, printer: _Printer) -> list[str]:
        """Reads what stands between `%` and the verb; gives what is wrong with it."""
        wrong = []
        form = self.form
        while self.at < len(form) and form[self.at] in _FLAGS:
            flag = form[self.at]
            self.at += 1
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
        if form.startswith("*", self.at):
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
        if form.startswith(".", self.at) and self.at + 1 < len(form):
            self.at += 1
            if self.indexed:  # %[3].2d
                self.good_index = False
            self.index()
            if form.startswith("*", self.at):
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
        start = self.at
        while self.at < len(self.form) and self.form[self.at] in "0123456789":
            self.at += 1
        value = _decimal(self.form[start : self.at])
        if value is None and self.at > start:
            self.at = len(self.form)  # Go gives the rest of the form up
        return value

    def star(self) -> int | None:
        self.at += 1
        self.indexed = False
        value = self.values[self.next] if self.next < len(self.values) else None
        if self.next < len(self.values):
            self.next += 1
        if (type(value) is int or type(value) is Byte) and -_TOO_LARGE <= value <= _TOO_LARGE:
            return int(value)
        return None

    def index(self) -> None:
        """Reads `[n]`: the value that is next, counted from 1."""
        self.indexed = False
        if not self.form.startswith("[", self.at):
            return
        self.reordered = True
        end = self.form.find("]", self.at)
        if end < 0 or len(self.form) < self.at + 3:
            self.good_index = False
            self.at += 1
            return
        digits = self.form[self.at + 1 : end]
        self.at = end + 1
        number = _decimal(digits) if not digits.strip("0123456789") else None
        self.indexed = number is not None
        if number is not None and 1 <= number <= len(self.values):
            self.next = number - 1
        else:
            self.good_index = False


def _decimal(digits: str) -> int | None:
    """A number of a form; None if there are no digits, or it is too large for a width."""
    if not digits or len(digits.lstrip("0")) > 8:
        return None
    number = int(digits)
    return number if number // 10 <= _TOO_LARGE else None


class _Printer:
    """Shows values with the flags of one verb."""

    __slots__ = ("go_syntax", "minus", "plus", "precision", "sharp", "space", "width", "zero")

    def __init__(self) -> None:
        self.sharp = False
        self.zero = False
        self.plus = False
        self.minus = False
        self.space = False
        self.go_syntax = False  # %#v
        self.width: int | None = None
        self.precision: int | None = None

    def show(self, value: Value, verb: str) -> str:
        if value is None:
            return self.pad("<nil>") if verb in "Tv" else f"%!{verb}(<nil>)"
        if verb == "T":
            return self.text(type_name(value))
        if isinstance(value, str):
            return self.string(value, verb)
        if isinstance(value, bool):
            return self.pad("true" if value else "false") if verb in "tv" else self.bad(value, verb)
        if isinstance(value, int):
            return self.integer(value, verb)
        if isinstance(value, float):
            return self.float(value, verb)
        if isinstance(value, complex):
            return self.complex(value, verb)
        if verb == "p":  # no two runs of Go show the same address either
            return self.digits(id(value), 16, "x", not self.sharp)
        if verb == "w":  # refused as a whole, where other verbs are tried on each item
            return self.bad(value, verb)
        if isinstance(value, Slice):
            items = [self.show(item, verb) for item in value]
            return f"{type_name(value)}{{{', '.join(items)}}}" if self.go_syntax else f"[{' '.join(items)}]"
        entries = [f"{self.show(key, verb)}:{self.show(item, verb)}" for key, item in sorted_items(value)]
        return f"{type_name(value)}{{{', '.join(entries)}}}" if self.go_syntax else f"map[{' '.join(entries)}]"

    def bad(self, value: Value, verb: str) -> str:
        """A verb that the value does not have."""
        return f"%!{verb}({type_name(value)}={self.show(value, 'v')})"

    def pad(self, text: str, zero: bool | None = None) -> str:
        width = self.width or 0
        if self.minus:
            return text.ljust(width)
        return text.rjust(width, "0" if (self.zero if zero is None else zero) else " ")

    def text(self, text: str) -> str:
        return self.pad(text if self.precision is None else text[: self.precision])

    def string(self, value: str, verb: str) -> str:
        if verb == "s" or (verb == "v" and not self.go_syntax):
            return self.text(value)
        if verb == "q" or verb == "v":
            from cp.config.template.literals import can_backquote, quote

            value = value if self.precision is None else value[: self.precision]
            if self.sharp and can_backquote(value):
                return self.pad(f"`{value}`")
            return self.pad(quote(value, ascii_only=self.plus))
        if verb not in "xX":
            return self.bad(value, verb)
        data = to_bytes(value)
        if self.precision is not None:
            data = data[: self.precision]
        prefix = ("0" + verb) if self.sharp and data else ""
        pairs = [f"{byte:02{verb}}" for byte in data]
        return self.pad(prefix + f" {prefix}".join(pairs) if self.space else prefix + "".join(pairs))

    def integer(self, value: int, verb: str) -> str:
        if verb in _BASES:
            base, form = _BASES[verb]
            if verb == "v" and self.go_syntax and isinstance(value, Byte):
                return self.digits(value, 16, "x", True)
            return self.digits(value, base, form, self.sharp, octal_prefix=verb == "O")
        if verb in "cq":
            char = chr(value) if 0 <= value <= 0x10FFFF and not 0xD800 <= value <= 0xDFFF else _REPLACEMENT
            if verb == "c":
                return self.pad(char)
            from cp.config.template.literals import quote

            return self.pad(quote(char, "'", self.plus))
        if verb != "U":
            return self.bad(value, verb)
        code = value % 2**64
        text = f"U+{code:0{max(self.precision or 0, 4)}X}"
        if self.sharp and code <= 0x10FFFF and chr(code).isprintable():
            text += f" '{chr(code)}'"
        return self.pad(text, zero=False)

    def digits(self, value: int, base: int, form: str, prefixed: bool, octal_prefix: bool = False) -> str:
        """An integer, with leading zeros up to the precision, or up to the width if the flag says so."""
        sign = "-" if value < 0 else "+" if self.plus else " " if self.space else ""
        least = self.precision
        if least == 0 and value == 0:
            return " " * (self.width or 0)
        if least is None:
            least = (self.width or 0) - len(sign) if self.zero and not self.minus else 0
        text = format(abs(value), form).rjust(least, "0")
        if prefixed and base == 8 and text[0] != "0":
            text = "0" + text
        elif prefixed and base in _PREFIXES:
            text = (_PREFIXES[base].upper() if form == "X" else _PREFIXES[base]) + text
        if octal_prefix:
            text = "0o" + text
        return self.pad(sign + text, zero=False)

    def float(self, value: float, verb: str) -> str:
        if verb not in "vbeEfFgGxX":
            return self.bad(value, verb)
        from cp.config.template.floats import format_float, with_point

        precision = self.precision
        if precision is None and verb in "eEfF":
            precision = 6
        text = format_float(value, {"v": "g", "F": "f"}.get(verb, verb), precision)
        sign = "-" if text[0] == "-" else "+" if self.plus else " " if self.space else ""
        text = text.lstrip("-")
        if self.sharp and verb != "b":
            text = with_point(text, verb, precision)
        if sign and self.zero and not self.minus and (self.width or 0) > len(text) + 1:
            return sign + text.rjust((self.width or 0) - 1, "0")
        return self.pad(sign + text)

    def complex(self, value: complex, verb: str) -> str:
        if verb not in "vbeEfFgGxX":
            return self.bad(value, verb)
        real = self.float(value.real, verb)
        plus, self.plus = self.plus, True
        imaginary = self.float(value.imag, verb)
        self.plus = plus
        return f"({real}{imaginary}i)"
