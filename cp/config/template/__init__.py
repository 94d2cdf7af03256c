"""Go's text/template, for templates whose data is a map of environment variables."""

from __future__ import annotations

from cp.config.template.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TemplateError", "render"]


def render(text: str, environ: Mapping[str, str], *, name: str = "") -> str:
    """Render a template with the environment variables. A variable that is not set is empty.

    The functions are Go's own and `default env split join replaceAll regexReplaceAll loop`. `name` is the template's
    name in errors. Bytes that are not UTF-8 are surrogate escapes, in all arguments and in the result.

    Raises TemplateError for a template that cannot be parsed or executed.
    """
    from cp.config.template.evaluate import Evaluator
    from cp.config.template.functions import functions
    from cp.config.template.parser import parse

    data = dict(environ)
    known = functions(data)
    return Evaluator(name, text, parse(name, text, known), known).render(data)
