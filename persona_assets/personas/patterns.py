"""What the row rules look for, in English, Chinese and Russian, as patterns of Polars' regex engine (no look-around).

Each pattern matches what is shown as the reason's detail. All languages are tried on every row, since a model may
answer in another language than it was asked for.
"""

# Singular on purpose: in "a chef opening restaurants" a plural is never what the article belongs to.
_THINGS_EN = (
    r"(?:company|corporation|organi[sz]ation|non-?profit|firm|enterprise|business|start-?up|agency|"
    r"ministry|department|"
    r"bureau|government|municipality|institution|institute|foundation|charity|association|brand|bank|"
    r"university|college|"
    r"school|hospital|clinic|museum|library|hotel|restaurant|cafe|shop|store|supermarket|factory|web ?site|"
    r"web ?page|blog|"
    r"forum|portal|platform|app|application|software|tool|plug-?in|dataset|database|algorithm|system|device|machine|"
    r"gadget|product|vehicle|car|camera|building|bridge|chat ?bot|robot|language model|AI (?:model|assistant|system)|"
    r"book|novel|textbook|article|essay|report|document|text|manual|magazine|newspaper|podcast|channel|"
    r"course|workshop|"
    r"conference|festival|initiative|project|campaign|event|service|network|program|programme|city|town|"
    r"village|country|"
    r"region|river|mountain|planet|dog|cat|tree)"
)
_VERBS_EN = (
    r"(?:is|are|was|has|provides?|offers?|sells?|allows?|helps?|seeking|looking|speciali[sz]ing|offering|providing|"
    r"developing|trying|aiming|collaborating|targeting|focus(?:ing|ed)|operating|selling|producing|"
    r"featuring|containing|"
    r"hoping|wanting|needing|planning|describing|promoting|dedicated|based|located|known|committed|founded|owned)"
)
# Group 1 holds the words before the noun; the noun is the head only where none of NOT_MODIFIERS stands among them.
THING_EN = (
    r"(?i)^\W*(?:(?:it is|it['’]s|this is)\s+)?(?:(?:an?|the|this|our|one|some)\s+)?((?:[\w'’.&+-]+\s+){0,6}?)"
    + _THINGS_EN
    + r"(?:\s+(?:that|which|who|whose|with|for|in|on|at|from|to|by|about)\s|\s+"
    + _VERBS_EN
    + r"\b|,\s+(?:an?|the|which|that|whose|"
    + _VERBS_EN
    + r")\s|\s*[.;(!]|\s*$)"
)
NOT_MODIFIERS = (
    r"(?i)(?:^|\s)(?:who|who['’]s|who['’]ve|whom|whose|that|which|with|without|for|of|in|on|at|from|to|by|"
    r"as|into|about|"
    r"is|are|was|has|a|an|the|his|her|their|its|my|your|these|those|every|each|several|many|i|i['’]m|am|"
    r"person|man|woman|"
    r"owner|fan|user|lover|employee|enthusiast|student|developer|engineer|entrepreneur|running|using|seeking|owning|"
    r"organi[sz]ing|developing|managing|designing|creating|making|writing|studying|teaching|leading|"
    r"hosting|coordinating|"
    r"overseeing|maintaining|exploring|attending|visiting|enjoying|collecting|selling|buying|driving|"
    r"reading|supporting|"
    r"promoting|implementing|analy[sz]ing|testing|opening|planning)(?:\s|$)"
)
_THINGS_ZH = (
    r"(?:公司|企业|集团|机构|组织|协会|基金会|银行|学校|大学|医院|诊所|博物馆|图书馆|酒店|餐厅|饭店|商店|超市|工厂|"
    r"网站|网页|平台|论坛|博客|应用|应用程序|软件|工具|系统|程序|数据库|数据集|算法|设备|机器|机器人|产品|品牌|"
    r"书|书籍|小说|教材|文章|论文|报告|文档|文本|手册|杂志|报纸|期刊|课程|项目|活动|城市|村庄|国家|政府部门|部门)"
)
# Applied to the first clause: Chinese puts the head noun last, and a classifier for things in front.
THING_ZH = (
    r"^\W*(?:这是|它是|该|这)?(?:一|某|那|这)?(?:"
    r"[家款本篇座所台种部份间项幢册](?:[^，。]*?)"
    + _THINGS_ZH
    + r"|个(?:[^，。的家]{0,6}|[^，。]*的[^，。的]{0,6})"
    + _THINGS_ZH
    + r")$"
)
THING_RU = (
    r"(?i)^\W*(?:это\s+|эта\s+|этот\s+|данная\s+|данный\s+)?(?:[\w-]+(?:ая|яя|ый|ий|ой|ое|ее|ые|ие)\s+){0,3}"
    r"(?:компания|корпорация|организация|фирма|предприятие|учреждение|агентство|министерство|ведомство|"
    r"фонд|ассоциация|"
    r"банк|университет|институт|школа|больница|поликлиника|музей|библиотека|гостиница|ресторан|кафе|магазин|"
    r"интернет-магазин|завод|фабрика|сайт|веб-сайт|страница|форум|блог|портал|платформа|приложение|программа|сервис|"
    r"система|алгоритм|база данных|устройство|прибор|машина|робот|чат-бот|товар|продукт|бренд|книга|роман|учебник|"
    r"статья|текст|документ|отчёт|отчет|журнал|газета|курс|проект|мероприятие|город|село|деревня|страна)"
    r"(?:\s*[,.;(—–]|\s+(?:для|по|в|на|с|о|об|из|предлага\w+|занима\w+|котор\w+|описыва\w+|производ\w+)\s|\s*$)"
)

# What stands over a text, not a person.
HEADING = "|".join(
    (
        r"(?i:^\W*(?:notes|thoughts|tips|advice|facts|questions) (?:on|about|for|from)\s)",
        r"(?i:^\W*(?:how|why|where|when) (?:to|an?|the|you|we|i|is|are|do|does)\s)",
        r"(?i:^\W*an? (?:list|set|series|collection|guide|summary|overview|story|history) (?:of|to|on|about)\s)",
        r"(?i:^\W*(?:заметки|советы|рассказ|история|список|руководство|обзор) (?:о|об|по|про|на|для)\s)",
        r"(?i:^\W*как (?:правильно|быстро|сделать|выбрать|научиться)\s)",
        r"^\W*(?:关于|如何)[^，。]*(?:笔记|文章|指南|建议|故事|方法)$",
    )
)

_TEXTS_EN = (
    r"(?:text|article|document|passage|essay|web ?page|page|website|web site|blog|post|paper|piece|excerpt|"
    r"snippet|story|"
    r"tutorial|report|content|study|message|review|thread)"
)
REFERS_TO_TEXT = "|".join(
    (
        r"(?i:\b(?:this|the (?:above|given|provided|following|present|aforementioned))\s+(?:[\w-]+\s+)?"
        + _TEXTS_EN
        + r"\b)",
        r"(?i:\bthe (?:text|article|passage|excerpt|document)(?:['’]s|\s+(?:and|but|or|is|was|as|because|"
        r"itself|describes|"
        r"discusses|mentions|who)\b|\s*[.,;:!?)]|\s*$))",
        r"(?i:\bthe authors?(?:['’]s?)?(?:\s+(?:[^o\s]|o[^f])\w*|\s*[.,;:!?)]|\s*$))",
        r"本文|此文|该文(?:章|本|档|作者)?|这篇(?:文章|文字|帖子|论文|报道|博客)|上述(?:文本|文章|内容|"
        r"文字)|这段(?:文字|文本|内容)|"
        r"文中(?:提到|描述|介绍|所)|文章(?:的)?作者|该作者|这个(?:网页|文本|文档|网站|页面)|该(?:网页|页面|网站)|"
        r"^作者(?:[，,。是本]|$)|作者(?:本人)?的(?:观点|看法|文章|论点|描述|分析|建议|立场|结论|文字|思路)",
        r"(?i:\bэт(?:от|ого|ому|им|ом) (?:текст|документ|пост|материал|сайт|отрывок)(?:а|у|ом|е|ы)?\b)",
        r"(?i:\b(?:эт|данн)(?:а|у|ой|ая|ую) (?:стать[а-яё]+|публикаци[а-яё]+|заметк[а-яё]+|страниц[а-яё]+)\b)",
        r"(?i:\b(?:данн(?:ый|ого|ому|ом)|приведённ\w+|приведенн\w+|вышеуказанн\w+) (?:текст|документ|материал)\w*\b)",
        r"(?i:\bавтор(?:а|у|ом|е)? (?:статьи|текста|документа|заметки|публикации|поста)(?:\s*[.,;:!?)]|"
        r"\s*$|\s+(?:и|не)\s))",
        r"(?i:^\s*автор(?:\s+(?:пишет|считает|утверждает|является|хочет)\b|\s*[,.—–]))",
        r"(?i:\bс (?:мнением|позицией|выводами) автора\b)",
    )
)

REFUSAL = "|".join(
    (
        r"(?i:^\W*(?:i['’]?m|i am) (?:really |very |so )?sorry\b)",
        r"(?i:^\W*(?:sorry|apologies|my apologies|unfortunately|i apologi[sz]e)\b)",
        r"(?i:(?:^|[.!?]\s+)\W*i (?:can(?:no|['’])t|cannot|am (?:unable|not able) to|will not|"
        r"won['’]t) (?:help|assist|provide|"
        r"create|generate|write|comply|fulfil|answer|complete|identify|describe|determine|infer|do th|"
        r"produce|share|access))",
        r"(?i:\bas an? (?:ai|artificial intelligence|(?:large )?language model)(?: language)?(?: model|"
        r" assistant)?\s*(?:[,.]|i\b|$))",
        r"^\W*(?:(?:非常|很)?抱歉|对不起|不好意思)",
        r"我(?:无法|不能)(?:提供|生成|回答|帮助|协助|创建|描述|确定|判断|完成|满足)",
        r"作为(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型)(?:语言模型|助手|模型)?[，, ]*我",
        r"(?i:^\W*(?:к сожалению|извините|простите|прошу прощения|приношу извинения)\b)",
        r"(?i:\bя не (?:могу|в состоянии) (?:помочь|предоставить|создать|написать|ответить|выполнить|"
        r"описать|определить|составить)\b)",
        r"(?i:\b(?:как|будучи) (?:ии|искусственный интеллект|искусственным интеллектом|языковая модель|"
        r"языковой моделью)(?:\s*,|\s+я\b))",
    )
)

META_TALK = "|".join(
    (
        r"(?i:^\W*(?:sure|certainly|of course|okay|ok|absolutely|great question)\s*[!,.:])",
        r"(?i:\bhere(?:['’]s| is| are) (?:an?|the|your|one|some|my|two|three)\b[^.]{0,40}\b(?:personas?|"
        r"answer|response|description|json)\b)",
        r"(?i:^\W*(?:persona|answer|output|response|result|description|relation)\s*\d*\s*[:：])",
        r"(?i:^\W*persona\s+\d+\b|\bthe (?:input |given |above |original |same )?persona\b|\bthis persona\b)",
        r"(?i:\b(?:let me know if|i hope this helps|feel free to ask)\b)",
        r"^\s*(?:```|[{\[]\s*\")|</?(?:persona|document|relation|relations|language)>|\{\{|\[(?:insert|"
        r"your|name|occupation)\b[^\]]*\]",
        r"^\W*(?:当然|好的|可以的|没问题)\s*[，,！!。：:]|^\W*(?:以下是|下面是|这是一个(?:人物|角色|"
        r"用户)(?:画像|描述))",
        r"^\W*(?:人物|角色|用户画像|人物画像|人设|回答|答案|输出)\s*[:：]|希望(?:这|以上)(?:个回答|些|"
        r"内容)?(?:对你|对您|能帮)|(?:该|此|输入的?)(?:人物|角色)画像",
        r"(?i:^\W*(?:конечно|разумеется|хорошо)\s*[!,.:])",
        r"(?i:^\W*вот (?:персона|описание|ответ|портрет|пример|ваш)\b)",
        r"(?i:^\W*(?:персона|персонаж|ответ|портрет|описание|результат)\s*\d*\s*[:：])",
        r"(?i:\b(?:надеюсь, это (?:поможет|помогло)|эт(?:а|ой|у) персон[ауы])\b)",
    )
)

BROKEN = "|".join(
    (
        r"\x{FFFD}",
        r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}]",
        r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}",  # escapes that no decoder undid, surrogate halves among them
        r"Ã[\x{A0}-\x{BF}]|â€|Â[\x{A0}-\x{BF}]|ï»¿|ï¿½",  # UTF-8 read as Latin-1 or cp1252
        r"(?:[ä-é][\x{A0}-\x{BF}‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ¸­]{1,2}){2}",  # Chinese read as cp1252
        r"(?:[РС][\x{A0}-\x{BF}°±Ѐ-ЏѐёђѓєѕіїјљњћќўџҐґ‚„…†‡€‰‹‘’“”•–—™›]){3}",  # Russian read as cp1251
        r"(?:[ÐÑ][\x{A0}-\x{BF}‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]?){3}",  # Russian read as cp1252
        r"&(?:amp|lt|gt|quot|nbsp|#\d+);",
        r"\?{4,}",  # what an encoder leaves of a script it does not know
    )
)

UNFINISHED = "|".join(
    (
        r"(?:\.\.\.|…|[,，、:：(（\[“«「『—–-])\s*$",
        r"(?:^|\s)(?:and|or|but|nor|the|a|an|whose|which|because|although|if|their|its|your|my|our|as well as)\s*$",
        r"(?:以及|并且|或者|但是|而且|因为|由于|不但|虽然)\s*$",
        r"(?:^|\s)(?:и|а|но|или|либо|что|чтобы|который|которая|которое|которые|которых|в|на|с|со|для|из|по|"
        r"от|к|ко|у|о|об|за|при|без|потому)\s*$",
        r"[(（][^)）]*$",
    )
)
