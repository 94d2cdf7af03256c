"""Go's text/template, for templates whose data is a map of environment variables."""

from __future__ import annotations

from cp.config.template.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TemplateError", "render"]


def render(text: str, environ: Mapping[str, str], *, name: str = "") -> str:
    """What the template makes of the environment variables; a variable that is not there is empty.

    The functions are Go's own and `default env split join replaceAll regexReplaceAll loop`. `name` is what errors call
    the template. Bytes that are not UTF-8 are surrogate escapes, in what is given and in what is returned.

    Raises TemplateError for what cannot be read or run.
    """
    from cp.config.template.evaluate import Evaluator
    from cp.config.template.functions import functions
    from cp.config.template.parser import parse

    data = dict(environ)
    known = functions(data)
    return Evaluator(name, text, parse(name, text, known), known).render(data)
