"""Contact data and personal identifiers: what may be copied from a page and must not go further.

Patterns find candidates. They write borders out, since a border of words does not fall between Chinese and digits.
Numbers with a check digit count only where it is right, so that a figure is not taken for a card.
"""

import re
from collections.abc import Iterator

from persona_assets.rules.patterns import expressions

_KINDS = ("email", "url", "phone", "handle", "identity_number", "address")  # of several in a text the first is told
_CARD = re.compile(r"\d(?:[ -]?\d){12,18}", re.ASCII)
_CHINESE_ID = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{9}[\dXx](?![\dXx])", re.ASCII)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.ASCII)
CHECKED_LIKE = r"[0-9](?:[ -]?[0-9]){12}|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}"  # what any of the three needs to have


def contact_patterns() -> Iterator[tuple[str, str]]:
    """The kinds of contact data in their order, each with expressions, for Polars or `regex`, that find it."""
    return ((kind, one) for kind in _KINDS for one in expressions(kind))


def checked_number(text: str) -> str | None:
    """The kind of the first number in `text` whose check digits are right: card_number, identity_number, iban."""
    tests = ((_CHINESE_ID, passes_chinese_id, "identity_number"), (_CARD, passes_luhn, "card_number"))
    for pattern, passes, kind in (*tests, (_IBAN, passes_iban, "iban")):
        if any(passes(number) for number in pattern.findall(text)):
            return kind
    return None


def passes_luhn(number: str) -> bool:
    """Whether the digits of a card-like number carry the right check digit, and are not one digit repeated."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    if len(set(digits)) < 2:
        return False
    doubled = [sum(divmod(2 * digit, 10)) if index % 2 else digit for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def passes_chinese_id(number: str) -> bool:
    """Whether an 18-character Chinese identity number carries the right check character (ISO 7064 mod 11-2)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def passes_iban(number: str) -> bool:
    """Whether an IBAN's check digits are right (ISO 7064 mod 97-10)."""
    compact = re.sub(r"\s", "", number)
    moved = compact[4:] + compact[:4]
    return 15 <= len(compact) <= 34 and int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
