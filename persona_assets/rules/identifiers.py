"""Contact data and personal identifiers in a persona: what may be copied from a page and must not go further.

Patterns find candidates; numbers with a check digit count only where it is right, so that a figure is not taken for a
card.
"""

import re

# (kind, pattern of Polars' regex engine). Borders are written out, since \b does not fall between Chinese and digits.
CONTACT_PATTERNS = (
    ("email", r"[\w.+-]+\s?@\s?[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    ("email", r"(?i)[\w.+-]+\s*[\[(]\s*at\s*[\])]\s*[\w-]+\s*(?:[\[(]\s*dot\s*[\])]|\.)\s*\w{2,}"),
    ("email", r"(?i)[\w.+-]+\s+at\s+[\w-]+\s+dot\s+(?:com|org|net|ru|cn|io|edu|de|uk|info)\b"),
    ("url", r"(?i)(?:https?://|www\.)\S+"),
    ("url", r"(?:t\.me|wa\.me|vk\.com|bit\.ly|linkedin\.com|facebook\.com|instagram\.com|github\.com|weibo\.com)/\S+"),
    ("url", r"(?:^|[^\w.@])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|io|ru|cn|de|info|edu|gov)/[\w~%-]{3,}"),
    ("phone", r"\+\d[\d\s().-]{7,18}\d"),
    ("phone", r"(?:^|[^\d.-])\(?[2-9]\d{2}\)?[\s.-][2-9]\d{2}[\s.-]\d{4}(?:[^\d-]|$)"),  # North America
    ("phone", r"(?:^|[^\d])1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?:[^\d]|$)"),  # Chinese mobile
    ("phone", r"(?:^|[^\d])0\d{2,3}-\d{7,8}(?:[^\d]|$)"),  # Chinese land line
    ("phone", r"(?:^|[^\d])8[\s-]?\(?\d{3}\)?[\s-]?\d{3}[\s-]?\d{2}[\s-]?\d{2}(?:[^\d]|$)"),  # Russian, inland
    ("phone", r"(?:^|[^\d])0\d{4}[\s-]\d{6}(?:[^\d]|$)"),  # British mobile
    (
        "phone",
        r"(?i)(?:tel|phone|number is|call|mobile|fax|тел|телефон|电话|手机|致电)\.?\s*[:：]?\s*\(?\d[\d\s().-]{5,16}\d",
    ),
    ("handle", r"(?i)(?:twitter|instagram|telegram|tiktok|weibo|handle|follow|телеграм|инстаграм|微博|抖音)\W*@\w{3,}"),
    ("handle", r"(?:^|[\s(（:：,，])@[A-Za-z]\w*[\d_]\w*"),
    (
        "handle",
        r"(?i)(?:微信号?|wechat|weixin|qq号?|viber|whatsapp)\s*(?:id)?\s*(?:[:：是]\s*[a-z0-9_-]{5,}|\d{6,}|\s*[a-z][a-z_-]*\d[a-z0-9_-]{3,})",
    ),
    ("identity_number", r"(?:^|[^\d-])\d{3}-\d{2}-\d{4}(?:[^\d-]|$)"),  # US social security
    ("identity_number", r"(?:^|[^\d-])\d{3}-\d{3}-\d{3}[ -]\d{2}(?:[^\d]|$)"),  # Russian SNILS
    ("identity_number", r"(?i)(?:паспорт\w*|серия)\D{0,12}\d{2}\s?\d{2}\s?(?:№\s?)?\d{6}"),
    ("identity_number", r"(?i)(?:passport|护照|身份证)\D{0,10}[a-z]{0,2}\d{7,9}"),
    (
        "address",
        r"(?:(?:\b(?:at|address(?: is)?|near)\b:?|^|,)\s+\d{1,5}[A-Za-z]?\s+(?:[A-Z][\w'.]+\s+){1,3}"
        r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Court|Ct|Terrace|Highway)\b)",
    ),
    ("address", r"\d{1,5}\s+(?:[A-Z][\w'.]+\s+){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Blvd|Lane|Drive)\.?,\s+[A-Z]"),
    ("address", r"\p{Han}{2,}(?:路|街|大道|巷|弄|胡同)\s?\d+\s?[号弄栋]"),
    ("address", r"\d+\s?(?:号楼|栋)\s?\d*\s?(?:单元)?\s?\d+\s?室"),
    (
        "address",
        r"(?:ул\.|улиц[аеы]|пр-т|проспект[еа]?|пер\.|переул(?:ок|ке)|шоссе|бульваре?|"
        r"наб\.)\s*[А-ЯЁ][\w-]+(?:\s[\w-]+)?"
        r"(?:,\s*|\s+)(?:д\.\s?|дом\w?\s+)?\d+",
    ),
)
_CARD = re.compile(r"\d(?:[ -]?\d){12,18}", re.ASCII)
_CHINESE_ID = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{9}[\dXx](?![\dXx])", re.ASCII)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.ASCII)
CHECKED_LIKE = r"[0-9](?:[ -]?[0-9]){12}|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}"  # what any of the three needs to have


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
