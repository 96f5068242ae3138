"""Self-contained HTML pages: every value is escaped, and nothing is loaded from anywhere."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from persona_assets.view.blocks import Page, spans, words
from persona_assets.view.safe import plain

if TYPE_CHECKING:
    from jinja2 import Template

PAGE = Path(__file__).with_name("page.html.j2")


def render_page(page: Page) -> str:
    """A page as a file."""
    return template(PAGE).render(page=page, title=words(page.title))


@cache
def template(file: Path, **filters: Callable[..., Any]) -> "Template":
    """A template file, which may extend `page.html.j2`; what it prints is made safe, a missing value an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([file.parent, PAGE.parent]),
        autoescape=True,  # by name would leave .j2 files out
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"spans": spans, "kind": lambda value: type(value).__name__, **filters}
    return environment.get_template(file.name)


def _seen(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
