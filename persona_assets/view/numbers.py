"""Figures as people read them."""


def number(value: float) -> str:
    """A count, rounded to whole ones; millions from one on."""
    return f"{round(value):,}" if value < 1e6 else f"{value / 1e6:,.2f} M"


def size(value: float) -> str:
    """Bytes with a unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def money(value: float) -> str:
    """Money or hours: two decimals, or two figures where it is less than one."""
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:#.2g}"


def percent(part: float, whole: float) -> str:
    """A share; none of nothing."""
    return f"{part / whole:.2%}" if whole else "0%"


def duration(seconds: float) -> str:
    """Seconds, or milliseconds where it is less than one."""
    return f"{seconds * 1000:,.3g} ms" if seconds < 1 else f"{seconds:,.3g} s"
