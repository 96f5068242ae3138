"""Values of columns, as files of views and recipes name them."""

Value = bool | int | float | str


def as_text(value: Value) -> str:
    """A value as Polars writes it as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
