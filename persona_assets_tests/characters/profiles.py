"""Profiles for tests, of people who never lived."""

ENGLISH = """# Ada Quill (née Marsh)

Ada Quill (3 May 1802 – 9 March 1871) was a clockmaker in Harwick. She built, among others, clock No. 7 for Dr. Hale.

## Youth

Her father, Mr. Marsh, taught her to file wheels.
She was nine then, and c. 1815 she left for London.

Early shop
"The dial is a face," she used to say. It cost £3.50! Nobody bought it, as the hands went round in an hour and a half.

- Her first clock ran backwards.
- Her second one did not run.
"""
CHINESE = """# 林秋月

林秋月（1871年3月2日－1932年11月5日）是武夷山的茶商。她十二岁开始学制茶。

## 早年
父亲常说：“好茶不等人。”她把这句话写在门上！后来茶行失火，她只救出账本。
"""
RUSSIAN = """# Иван Кузнецов

Иван Кузнецов (1801—1869) был кузнецом в Твери. В 1812 г. он с матерью бежал из города.

## Кузница

Учил его проф. Лебедев, т. е. дядя. Первая решётка треснула! Вторая стоит до сих пор.
"""
DIARY = """# Tom Ferry

Tom Ferry kept the ferry at Lowbank.

## 1890-04-03

The ice broke today. I took eleven people over.

1890-04-05: Jane came with her mother.

## 7 April 1890: the flood

The landing is gone.
"""
