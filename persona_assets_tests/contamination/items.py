"""Benchmark items of a test's own."""

from persona_assets.contamination.items import Item

EN = (
    "A lighthouse keeper paints 12 rails each morning and 9 each evening; how many rails are painted after eleven days?"
)
ZH = "灯塔看守人每天早上刷十二根栏杆，晚上再刷九根，请问十一天之后一共刷了多少根栏杆？"
RU = "Смотритель маяка красит двенадцать перил утром и девять вечером; сколько перил он покрасит за одиннадцать дней?"
TEXTS = {"en": EN, "zh": ZH, "ru": RU}


def items(*questions: str, file: str = "test.jsonl") -> list[Item]:
    """Items of one file, without answers."""
    return [Item(file, number, "", question) for number, question in enumerate(questions, 1)]
