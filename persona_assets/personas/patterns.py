"""What the row rules look for, in English, Chinese and Russian, as regular expressions of Polars' engine (no look-around).

Each pattern matches what is shown as the reason's detail. All languages are tried on every row, since a model may answer
in another language than it was asked for.
"""

_THINGS_EN = (
    r"(?:compan(?:y|ies)|corporations?|organi[sz]ations?|non-?profits?|firms?|enterprises?|business(?:es)?|start-?ups?|"
    r"agenc(?:y|ies)|ministry|departments?|bureau|governments?|municipality|institutions?|institutes?|foundations?|charity|"
    r"charities|associations?|brands?|bank|universit(?:y|ies)|college|schools?|hospitals?|clinics?|museums?|library|hotels?|"
    r"restaurants?|cafe|shops?|stores?|supermarket|factory|websites?|web sites?|web ?pages?|blogs?|forum|portal|platforms?|"
    r"apps?|applications?|software|tools?|plug-?in|librar(?:y|ies)|datasets?|databases?|algorithms?|systems?|devices?|"
    r"machines?|gadgets?|products?|vehicles?|cars?|cameras?|buildings?|bridges?|chat ?bots?|robots?|language models?|"
    r"AI (?:model|assistant|system)|books?|novels?|textbooks?|articles?|essays?|reports?|documents?|texts?|manuals?|"
    r"magazines?|newspapers?|podcasts?|channels?|courses?|workshops?|conferences?|festivals?|initiatives?|projects?|"
    r"campaigns?|events?|services?|networks?|programs?|programmes?|city|cities|town|village|country|countries|region|"
    r"river|mountain|planet|dogs?|cats?|trees?)"
)
_VERBS_EN = (
    r"(?:is|are|was|has|provides?|offers?|sells?|allows?|helps?|seeking|looking|speciali[sz]ing|offering|providing|developing|"
    r"trying|aiming|collaborating|targeting|focus(?:ing|ed)|operating|selling|producing|featuring|containing|hoping|"
    r"wanting|needing|planning|describing|promoting|dedicated|based|located|known|committed|founded|owned)"
)
# Group 1 holds the words before the noun; it names a thing only where no NOT_MODIFIERS stands among them.
THING_EN = (
    r"(?i)^\W*(?:(?:it is|it's|this is)\s+)?(?:(?:an?|the|this|our|one|some)\s+)?((?:[\w'’.&+-]+\s+){0,6}?)"
    + _THINGS_EN
    + r"(?:\s+(?:that|which|who|whose|with|for|of|in|on|at|from|to|by|about)\s|\s+"
    + _VERBS_EN
    + r"\b|,\s+(?:an?|the|which|that|whose|"
    + _VERBS_EN
    + r")\s|\s*[.;(!]|\s*$)"
)
NOT_MODIFIERS = (
    r"(?i)(?:^|\s)(?:who|whom|whose|that|which|with|without|for|of|in|on|at|from|to|by|as|into|about|is|are|was|has|"
    r"a|an|the|his|her|their|its|my|your|these|those|every|each|several|many|i|i'm|am|person|man|woman|owner|fan|"
    r"user|lover|employee|enthusiast|student|developer|running|using|seeking|owning)(?:\s|$)"
)
_THINGS_ZH = (
    r"(?:公司|企业|集团|机构|组织|协会|基金会|银行|学校|大学|医院|诊所|博物馆|图书馆|酒店|餐厅|饭店|商店|超市|工厂|"
    r"网站|网页|平台|论坛|博客|应用|应用程序|软件|工具|系统|程序|数据库|数据集|算法|设备|机器|机器人|产品|品牌|"
    r"书|书籍|小说|教材|文章|论文|报告|文档|文本|手册|杂志|报纸|期刊|课程|项目|活动|城市|村庄|国家|政府部门|部门)"
)
# Applied to the first clause: Chinese puts the head noun last, and a classifier for things in front.
THING_ZH = (
    r"^\W*(?:这是|它是|该|这)?(?:一|某|那|这)?(?:"
    r"[家款本篇座所台种部份间项幢册](?:[^，。]*?)" + _THINGS_ZH + r"|个(?:[^，。的家]{0,6}|[^，。]*的)" + _THINGS_ZH + r")$"
)
THING_RU = (
    r"(?i)^\W*(?:это\s+|эта\s+|этот\s+|данная\s+|данный\s+)?(?:[\w-]+(?:ая|яя|ый|ий|ой|ое|ее|ые|ие)\s+){0,3}"
    r"(?:компания|корпорация|организация|фирма|предприятие|учреждение|агентство|министерство|ведомство|фонд|ассоциация|"
    r"банк|университет|институт|школа|больница|поликлиника|музей|библиотека|гостиница|ресторан|кафе|магазин|"
    r"интернет-магазин|завод|фабрика|сайт|веб-сайт|страница|форум|блог|портал|платформа|приложение|программа|сервис|"
    r"система|алгоритм|база данных|устройство|прибор|машина|робот|чат-бот|товар|продукт|бренд|книга|роман|учебник|"
    r"статья|текст|документ|отчёт|отчет|журнал|газета|курс|проект|мероприятие|город|село|деревня|страна)"
    r"(?:\s*[,.;(—–]|\s+(?:для|по|в|на|с|о|об|из|предлага\w+|занима\w+|котор\w+|описыва\w+|производ\w+)\s|\s*$)"
)

_TEXTS_EN = (
    r"(?:text|article|document|passage|essay|web ?page|page|website|web site|blog|post|paper|piece|excerpt|snippet|story|"
    r"tutorial|report|content|study|message|review|thread)"
)
REFERS_TO_TEXT = "|".join(
    (
        r"(?i:\b(?:this|the (?:above|given|provided|following|present|aforementioned))\s+(?:[\w-]+\s+)?" + _TEXTS_EN + r"\b)",
        r"(?i:\bthe (?:text|article|passage|excerpt|document)(?:['’]s|\s+(?:and|but|or|is|was|as|because|itself|describes|"
        r"discusses|mentions|who)\b|\s*[.,;:!?)]|\s*$))",
        r"(?i:\bthe authors?(?:['’]s?)?(?:\s+(?:[^o\s]|o[^f])\w*|\s*[.,;:!?)]|\s*$))",
        r"本文|此文|该文(?:章|本|档|作者)?|这篇(?:文章|文字|帖子|论文|报道|博客)|上述(?:文本|文章|内容|文字)|这段(?:文字|文本|内容)|"
        r"文中(?:提到|描述|介绍|所)|文章(?:的)?作者|该作者|这个(?:网页|文本|文档|网站|页面)|该(?:网页|页面|网站)|"
        r"^作者(?:[，,。是本]|$)|作者(?:本人)?的(?:观点|看法|文章|论点|描述|分析|建议|立场|结论|文字|思路)",
        r"(?i:\bэт(?:от|ого|ому|им|ом) (?:текст|документ|пост|материал|сайт|отрывок)(?:а|у|ом|е|ы)?\b)",
        r"(?i:\b(?:эт|данн)(?:а|у|ой|ая|ую) (?:стать[а-яё]+|публикаци[а-яё]+|заметк[а-яё]+|страниц[а-яё]+)\b)",
        r"(?i:\b(?:данн(?:ый|ого|ому|ом)|приведённ\w+|приведенн\w+|вышеуказанн\w+) (?:текст|документ|материал)\w*\b)",
        r"(?i:\bавтор(?:а|у|ом|е)? (?:статьи|текста|документа|заметки|публикации|поста)(?:\s*[.,;:!?)]|\s*$|\s+(?:и|не)\s))",
        r"(?i:^\s*автор(?:\s+(?:пишет|считает|утверждает|является|хочет)\b|\s*[,.—–]))",
        r"(?i:\bс (?:мнением|позицией|выводами) автора\b)",
    )
)

REFUSAL = "|".join(
    (
        r"(?i:^\W*(?:i['’]?m|i am) (?:really |very |so )?sorry\b)",
        r"(?i:^\W*(?:sorry|apologies|my apologies|unfortunately|i apologi[sz]e)\b)",
        r"(?i:(?:^|[.!?]\s+)\W*i (?:can(?:no|['’])t|cannot|am (?:unable|not able) to|will not|won['’]t) (?:help|assist|provide|"
        r"create|generate|write|comply|fulfil|answer|complete|identify|describe|determine|infer|do th|produce|share|access))",
        r"(?i:\bas an? (?:ai|artificial intelligence|(?:large )?language model)(?: language)?(?: model| assistant)?\s*(?:[,.]|i\b|$))",
        r"^\W*(?:(?:非常|很)?抱歉|对不起|不好意思)",
        r"我(?:无法|不能)(?:提供|生成|回答|帮助|协助|创建|描述|确定|判断|完成|满足)",
        r"作为(?:一个|一名|一款)?(?:AI|人工智能|大?语言模型)(?:语言模型|助手|模型)?[，, ]*我",
        r"(?i:^\W*(?:к сожалению|извините|простите|прошу прощения|приношу извинения)\b)",
        r"(?i:\bя не (?:могу|в состоянии) (?:помочь|предоставить|создать|написать|ответить|выполнить|описать|определить|составить)\b)",
        r"(?i:\b(?:как|будучи) (?:ии|искусственный интеллект|искусственным интеллектом|языковая модель|языковой моделью)(?:\s*,|\s+я\b))",
    )
)

META_TALK = "|".join(
    (
        r"(?i:^\W*(?:sure|certainly|of course|okay|ok|absolutely|great question)\s*[!,.:])",
        r"(?i:\bhere(?:['’]s| is| are) (?:an?|the|your|one|some|my|two|three)\b[^.]{0,40}\b(?:personas?|answer|response|description|json)\b)",
        r"(?i:^\W*(?:persona|answer|output|response|result|description|relation)\s*\d*\s*[:：])",
        r"(?i:^\W*persona\s+\d+\b|\bthe (?:input |given |above |original |same )?persona\b|\bthis persona\b)",
        r"(?i:\b(?:let me know if|i hope this helps|feel free to ask)\b)",
        r"^\s*(?:```|[{\[]\s*\")|</?(?:persona|document|relation|relations|language)>|\{\{|\[(?:insert|your|name|occupation)\b[^\]]*\]",
        r"^\W*(?:当然|好的|可以的|没问题)\s*[，,！!。：:]|^\W*(?:以下是|下面是|这是一个(?:人物|角色|用户)(?:画像|描述))",
        r"^\W*(?:人物|角色|用户画像|人物画像|人设|回答|答案|输出)\s*[:：]|希望(?:这|以上)(?:个回答|些|内容)?(?:对你|对您|能帮)|(?:该|此|输入的?)(?:人物|角色)画像",
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
        r"(?:\.\.\.|…|[,，、;；:：(（\[“«「『—–-])\s*$",
        r"(?:^|\s)(?:and|or|but|nor|the|a|an|whose|which|because|although|while|if|their|its|your|my|our|as well as)\s*$",
        r"(?:以及|并且|或者|但是|而且|因为|由于|不但|虽然)\s*$",
        r"(?:^|\s)(?:и|а|но|или|либо|что|чтобы|который|которая|которое|которые|которых|в|на|с|со|для|из|по|от|к|ко|у|о|об|за|при|без|потому)\s*$",
        r"[(（][^)）]*$",
    )
)
