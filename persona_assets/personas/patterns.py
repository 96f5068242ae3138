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
    r"region|river|mountain|planet|dog|cat|tree|"
    r"(?-i:community|union|society|committee|council|cooperative|co-?op|collective|consortium|coalition|alliance|"
    r"federation|league|chamber of commerce|parliament|orchestra|choir|theat(?:er|re)|gallery|laboratory|observatory|"
    r"archive|zoo|airline|railway|winery|brewery|bakery|pharmacy|orphanage|monastery|church|mosque|temple|synagogue|"
    r"(?:group|network|chain|association|federation) of (?:[\w-]+ )?(?:companies|firms|businesses|organi[sz]ations|"
    r"agencies|schools|hospitals|clinics|shops|stores|restaurants|hotels|banks)|newsroom|(?:radio|television|police|"
    r"fire) (?:station|department)|think ?tank|publishing house|club|court))"
)
_VERBS_EN = (
    r"(?:is|are|was|has|provides?|offers?|sells?|allows?|helps?|seeking|looking|speciali[sz]ing|offering|providing|"
    r"developing|trying|aiming|collaborating|targeting|focus(?:ing|ed)|operating|selling|producing|"
    r"featuring|containing|"
    r"hoping|wanting|needing|planning|describing|promoting|dedicated|based|located|known|committed|founded|owned)"
)
# Group 1 holds the words before the noun; the noun is the head only where none of NOT_MODIFIERS stands among them.
THING_EN = (
    r"(?i)^\W*(?:(?:it is|it['’]s|this is)\s+)?(?:(?:an?|the|this|our|one|some)\s+)?((?:[\p{Latin}\d'’.&+-]+\s+){0,6}?)"
    + _THINGS_EN
    + r"(?:\s+(?:that|which|who|whose|with|for|in|on|at|from|to|by|about)\s|"
    r"\s+of\s+(?:[\w'’-]+\s+){1,4}?(?:that|which|seeking|looking|dedicated|based|founded)\s|\s+"
    + _VERBS_EN
    + r"\b|,\s+(?:an?|the|which|that|whose|"
    + _VERBS_EN
    + r")\s|,\s+\w+(?:ed|ing)\s|\s+\w+ing\s+(?:an?|the|to|with|its|their|from|for|over|against|at)\s|\s*[.;(!]|\s*$)"
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
    r"书|书籍|小说|教材|文章|论文|报告|文档|文本|手册|杂志|报纸|期刊|课程|项目|活动|城市|村庄|国家|政府部门|部门|合作社|农场|"
    r"石?拱?桥|古?塔|寺庙?|庙|水库|公园|古镇)"
)
# Applied to the first clause: Chinese puts the head noun last, and a classifier for things in front.
THING_ZH = (
    r"^\W*(?:这是|它是|该|这)?(?:"
    r"(?:一|某|那|这|该|几|多|数)[家款本篇座所台种部份间项幢册支](?:[^，。一二三四五六七八九十几老大人][^，。]*?)?"
    + _THINGS_ZH
    + r"|(?:一|某|那|这)?个(?:[^，。的家]{0,6}|[^，。]*的[^，。的]{0,6})"
    + _THINGS_ZH
    + r"|[某本该][^，。的了着过在于家]{0,10}"
    + _THINGS_ZH
    + r"|[^，。的了着过在于从进入开办创营任就供爱喜当做读念考给去回住守修建卖买写用教管是位名个]{1,12}"
    r"(?:公司|集团|基金会|协会|图书馆|博物馆|研究所|研究院|委员会|出版社|事务所|联合会|合作社))$"
)
THING_RU = (
    r"(?i)^\W*(?:это\s+|эта\s+|этот\s+|данная\s+|данный\s+)?(?:[\w-]+(?:ая|яя|ый|ий|ой|ое|ее|ые|ие)\s+){0,3}"
    r"(?:компания|корпорация|организация|фирма|предприятие|учреждение|агентство|министерство|ведомство|"
    r"фонд|ассоциация|"
    r"банк|университет|институт|школа|больница|поликлиника|музей|библиотека|гостиница|ресторан|кафе|магазин|"
    r"интернет-магазин|завод|фабрика|сайт|веб-сайт|страница|форум|блог|портал|платформа|приложение|программа|сервис|"
    r"система|алгоритм|база данных|устройство|прибор|машина|робот|чат-бот|товар|продукт|бренд|книга|роман|учебник|"
    r"статья|текст|документ|отчёт|отчет|журнал|газета|курс|проект|мероприятие|город|село|деревня|страна|клуб|общество|"
    r"союз|комитет|театр|церковь|храм|монастырь|аптека|пекарня|студия|галерея|лаборатория|редакция|издательство|"
    r"сообщество|группа компаний|стартап|кооператив|архив|администрация|колледж|лицей|приют|музыкальный коллектив|"
    r"мост|башня|памятник|замок|маяк|вокзал|станция|парк|река|озеро|гора|самолёт|корабль|автомобиль|"
    r"объединение|бюро|кинотеатр|детский сад|сеть(?:\s+[\p{L}-]+){1,2})"
    r"(?:(?:\s+[\p{L}-]+){1,4},\s+(?:котор(?:ая|ый|ое)|[\p{L}-]+щ(?:ая|ий|ее)(?:ся)?)\s|\s*[,.;(—–]|\s+(?:для|по|в|на|"
    r"с|о|об|из|предлага\w+|занима\w+|котор\w+|описыва\w+|производ\w+)\s|\s*$)"
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
        r"(?i:\b(?:given|shown|stated|listed) (?:above|below)\b|\b(?:mentioned|described|discussed|provided|presented|"
        r"referenced|featured|outlined|covered) "
        r"(?:above|below|here\b|in (?:the|this) (?:text|article|passage|excerpt|document|post|piece)))",
        r"(?i:\bthe authors? of (?:the|this) (?:[\w-]+\s+)?(?:passage|text|article|page|document|post|above)\b)",
        r"^\W*(?:上文|前文|原文)的?作者|(?:根据|基于)(?:上文|文本|原文)",
        # "the author's early novels" are somebody's; "the author's view" is this text's.
        r"(?i:\bthe authors?(?:\s+(?:[^o\s]|o[^f])\w*|\s*[.,;:!?)]|\s*$))",
        r"(?i:\bthe author['’]s\s+(?:\w+\s+)?(?:views?|opinions?|points?|arguments?|claims?|perspectives?|position|"
        r"conclusions?|ideas?|stance|tone|style|articles?|posts?|blog|advice|tips|recipes?|storie?s?|story|"
        r"experiences?|"
        r"thoughts|analysis|research|findings|words|message|sentiment|approach|work|journey|critique|text)\b)",
        r"(?i:\bthe (?:writer|blogger|columnist|speaker)['’]s (?:views?|opinions?|arguments?|claims?|position|"
        r"conclusions?|stance)\b)",
        r"(?:^|[^日文基版样课剧脚译抄底刻唱摹誊孤善古珍副标范原])本文(?:的|作者|内容|中|里|所|主题|观点|主要|介绍|提到|讨论|话题|"
        r"涉及|描述|感|[，。、；]|$)|(?:^|[^因如从彼由在就])此文(?:的|作者|章|中|所|内容|主题|观点|[，。、；]|$)|"
        r"[^应]上文(?:内容|中|所|提到|描述)|(?:^|[^应本活])该文(?:章|本[^化]|档|作者|的|中|所|内容|主题|[，。、；]|$)|"
        r"这篇(?:文章|文字|帖子|论文|报道|博客)|上述(?:文本|文章|内容|文字)|这段(?:文字|文本|内容)|"
        r"(?:^|[^语作论散英中外古公条课诗杂国正])文中(?:提到|描述|介绍|所)|(?:^|[^\p{Han}]|该|这|此|本|与|对|和|同意|支持|反对)"
        r"文章(?:的)?作者|[对读完过](?:该|这篇|本|此)?文章(?:的)?(?:内容|主题|话题|观点)?[^，。的]{0,6}(?:感兴趣|兴趣|好奇|共鸣|的人|的读者)|"
        r"文章(?:中|里)?(?:提到|描述|讨论|介绍|提及)|"
        r"该作者|这个(?:网页|文本|文档|网站|页面)|该(?:网页|页面|网站)|"
        r"^作者(?:[，,。是本]|$)|作者(?:观点|看法|论点|立场|结论)|作者(?:本人)?的(?:观点|看法|文章|论点|描述|分析|建议|立场|结论|文字|思路)",
        r"(?i:\bэт(?:от (?:текст|документ|пост|материал|сайт|отрывок)|ого (?:текста|документа|поста|материала|сайта|"
        r"отрывка)|"
        r"ому (?:тексту|документу|посту|материалу|сайту|отрывку)|им (?:текстом|документом|постом|материалом|сайтом|"
        r"отрывком)|"
        r"ом (?:тексте|документе|посте|материале|сайте|отрывке))\b)",
        r"(?i:\b(?:эт|данн)(?:а|у|ой|ая|ую) (?:стать[а-яё]+|публикаци[а-яё]+|заметк[а-яё]+|страниц[а-яё]+)\b)",
        r"(?i:\b(?:данн(?:ый|ого|ому|ом)|приведённ\w+|приведенн\w+|вышеуказанн\w+) (?:текст|документ|материал)\w*\b)",
        r"(?i:\bавтор(?:а|у|ом|е)? (?:статьи|текста|документа|заметки|публикации|поста)(?:\s*[.,;:!?)]|"
        r"\s*$|\s+(?:и|не)\s))",
        r"(?i:^\s*автор(?:\s+(?:пишет|считает|утверждает|является|хочет)\b|\s*[,.—–]))",
        r"(?i:\bс (?:мнением|позицией|выводами) автора\b)",
        r"(?i:\b(?:тем|содержани|иде|вывод)\p{L}* (?:этой |этого |данной |данного )?(?:статьи|текста|заметки|"
        r"публикации)\b)",
        r"(?i:\b(?:упомянут|описанн|описываем|обсуждаем|изложенн|представленн|приведённ|приведенн|рассматриваем)\p{L}* "
        r"(?:выше\b|в (?:этом |этой |данном |данной )?(?:тексте|статье|документе|заметке|публикации)\b))",
        r"(?i:\b(?:прочита\p{L}+|чита\p{L}+) (?:эту |данную )?(?:статью|заметку|публикацию)(?:\s*[.,;:!?)]|\s*$))",
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
        r"我(?:无法|不能)(?:提供|生成|回答|帮助|协助|创建|描述|确定|判断|推断|得出|总结|看出|完成|满足)",
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
        r"(?i:^\W*(?:based on|judging by|from) (?:the |this )?(?:text|document|page|article|passage)[^:：]{0,70}[:：])",
        r"^\W*(?:根据|基于|从)[^：:，,]{0,16}[，,]?[^：:]{0,16}(?:人物|用户|人设|人)[^：:]{0,6}[:：]",
        r"(?i:^\W*(?:на основе|исходя из|судя по|по) (?:текст|стать|документ|страниц)[^:]{0,60}:)",
        r"(?i:^\W*(?:sure|certainly|of course|okay|ok|absolutely|great question)\s*[!,.:])",
        r"(?i:\bhere(?:['’]s| is| are) (?:an?|the|your|one|some|my|two|three)\b[^.]{0,40}\b(?:personas?|"
        r"answer|response|description|json)\b)",
        r"(?i:^\W*(?:(?:user|reader|buyer|customer|target|character|input|new|generated|final|the|my|"
        r"a) ){0,2}(?:persona|"
        r"profile|character|description|answer|output|response|result|relation|reader|audience|name|occupation|role|"
        r"biography|bio|summary|who|title|persona description)\s*[#№]?\d*\W{0,3}[:：])",
        r"(?i:^\W*(?:user |reader |the )?(?:persona|profile|description|character)\s*\d*\s*(?:description)?\s*[-–—]\s)",
        r"(?i:[\"'“]persona[\"'”]\s*[:：]|^\W*based on (?:the|this)\b)",
        r"(?i:^\W*persona\s+\d+\b|\bthe (?:input |given |above |original |same )?persona\b|\bthis persona\b)",
        r"(?i:\b(?:let me know if|i hope this helps|feel free to ask)\b)",
        r"^\s*(?:```|[{\[]\s*\")|</?(?:persona|document|relation|relations|language)>|\{\{|\[(?:insert|"
        r"your|name|occupation)\b[^\]]*\]",
        r"^\W*(?:当然(?:可以)?|好的?|可以的?|没问题|收到|明白)\s*[，,！!。：:]|^\W*(?:以下是|下面是|这是一个(?:人物|角色|"
        r"用户)(?:画像|描述))",
        r"^\W*(?:(?:用户|人物|角色|读者|目标|受众|客户|典型|生成的?|新)*(?:画像|角色|人物|人设|描述|设定|简介|身份|职业|姓名|读者|受众|"
        r"用户|回答|答案|输出|结果|作者|名字|介绍|档案))\s*[\d一二三四五六七八九十]*\s*[*】\])）]*\s*[:：]|^\W*【[^】]{0,6}(?:画像|人物|角色|描述|"
        r"人设)[^】]{0,3}】|[\"“'](?:人物|角色|画像|用户画像)[\"”']\s*[:：]|希望(?:这|以上)(?:个回答|些|"
        r"内容)?(?:对你|对您|能帮)|(?:该|此|输入的?)(?:人物|角色)画像",
        r"(?i:^\W*(?:конечно|разумеется|хорошо)\s*[!,.:])",
        r"(?i:^\W*вот (?:персона|описание|ответ|портрет|пример|ваш|профиль|характеристика))",
        r"(?i:^\W*(?:(?:целев|нов|готов|пользовательск)\p{L}+ )?(?:персона|персонаж|ответ|портрет|описание|результат|"
        r"профиль|герой|"
        r"героиня|читатель|имя|роль|аудитория|характеристика|кто)(?: (?:пользователя|читателя|персоны|персонажа|героя|"
        r"человека|"
        r"автора|клиента))?\s*[#№]?\d*\W{0,3}[:：])",
        r"(?i:^\W*(?:персона|описание|портрет|профиль)(?: (?:пользователя|читателя|персоны|персонажа|"
        r"человека))?\s*\d*\s+[-–—]\s)",
        r"(?i:[\"'«]персона[\"'»]\s*:)",
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

_PREPOSITIONS_EN = (
    r"(?:of|in|on|at|for|with|to|from|by|about|into|onto|upon|between|among|through|during|against|towards?|within|"
    r"without|regarding|concerning|including|via|per|than|like|under|amid|across|behind|beyond|as)"
)
UNFINISHED = "|".join(
    (
        r"(?:\.\.\.|…|[,，、:：(（\[“«「『《—–-])\s*$",
        # In small letters: "vitamin A" is whole.
        r"(?:^|\s)(?:and|or|but|nor|the|a|an|whose|which|because|although|if|their|its|your|my|our|as well as|"
        r"such as|every|very|and/or|e\.g|how to|who|whom|[^a\s]\w* while|when|where|that|"
        r"(?:who|which|and|but) (?:is|are|was|were|has|have)(?: (?:passionate|responsible|interested|known|"
        r"been))?)\s*$",
        r"(?:^|\s)(?:and|or|the|a|an|whose|because|although|their|your|our)\s*[.!]\s*$",
        r"(?:以及|并且|或者|但是|而且|因为|由于|不但|虽然|不仅|甚至|如果|为了|关于|通过|例如|比如|包括|尤其是|特别是|从而|以便|其中|"
        r"对于|根据|认为|觉得|打算|试图|[就常要想都会]去|[常都也就还总](?:会|在|要|是|把|被|将)|一边|这些|那些|一种|一个|一位|一名|如何)\s*$",
        r"[^温祥平随缓调饱亲谐柔总暖]和\s*$|[^参给]与\s*$|[^普触涉埃]及\s*$|[^反面核应]对\s*$|[^存自潜所现实内外好健同]在\s*$|"
        r"[^方志倾转导意内外走动定去取]向\s*$|[^行作成因认以]为\s*$|[^服听顺随]从\s*$|[或把被但]\s*$|最\w{1,4}的是\s*$|[^终由关对属]于\s*$|(?:前往|来自|从事|成为|擅长|渴望|想要)\s*$|"
        r"[^合吞]并\s*$",
        r"^\W*一?[位名][^，。]*的\s*$",
        r"(?i:(?:^|\s)(?:и|а|но|или|либо|что|чтобы|который|которая|которое|которые|которых|которого|которой|которому|"
        r"которым|"
        r"которую|в|на|с|со|для|из|по|от|к|ко|у|о|об|за|при|без|потому|про|под|над|между|через|перед|среди|ради|до|"
        r"из-за|"
        r"как|где|когда|если|хотя|поэтому|также|свой|свою|своего|своей|своих|своим|своими|своём|своем|не|ни|очень|"
        r"является|чей|чья|чьи|"
        r"лишь|"
        r"то есть|например|путём|путем|около|в области|в сфере|с помощью|в рамках|с целью|в связи с|на основе|"
        r"в качестве|в поисках|"
        r"(?:что|чтобы|в|во|на|с|для|о|от|из|к|и|под|над) (?:его|её|ее|их)|после|против|вокруг|кроме|благодаря|"
        r"согласно)\s*[.]?\s*$)",
        r"[(（][^)）]*$|《[^》]*$|«[^»]*$",
    )
)
# A preposition at the end is cut off too, but for one that a clause leaves there: "nobody to play chess with".
UNFINISHED_EN = r"(?i)\s" + _PREPOSITIONS_EN + r"\s*$"
STRANDED_EN = (
    r"(?i)(?:(?:[^aeiou\s]y|one|body|thing|people|person|friends?|family|partner|place|room|house|home|reason|way|time|"
    r"story|stories|chair|money|life|job|nothing|else|hand|voice|audience|listener)\s+to\s+(?:\w+\s+){1,3}|"
    r"\b(?:he|she|they|it|we|i|you|(?:his|her|their) \w+)\s+(?:\w+['’]?\w*\s+){1,4}|\bwhat\s+(?:\w+\s+){1,4}|"
    r"\b(?:log|sign|check|mov|fit|join|settl|tun|giv|plug|drop|step|turn|chim|cav|break|break)\w*\s+(?:him|her|"
    r"them)?\s*|"
    r"\b(?:go|goes|went|pass\w*|carr\w+|hold\w*)\s+|\bworth\s+\w+\s+|\b(?:being|be|gets?|getting)\s+\w+(?:ed|en|t)\s+)"
    + _PREPOSITIONS_EN
    + r"\s*$"
)

# Nothing but words that fit anybody: the text is only these, whatever their order.
VAGUE = "|".join(
    (
        r"(?i)^(?:\W*\b(?:an?|the|this|that|these|some|any|all|one|person|persons|people|individuals?|someone|"
        r"somebody|anyone|"
        r"anybody|everyone|human|being|reader|readers|user|users|audience|visitor|learner|member|public|general|man|"
        r"woman|"
        r"adult|who|which|is|are|was|be|been|has|have|had|having|with|and|or|of|in|on|to|for|about|at|by|from|as|may|"
        r"might|"
        r"can|could|would|will|wants?|wanting|wishes|needs?|needing|seeks?|seeking|looking|look|likes?|liking|loves?|"
        r"loving|enjoys?|"
        r"enjoying|interest|interests|interested|curious|curiosity|passion|passionate|keen|cares?|caring|likely|"
        r"find|finds|finding|learns?|learning|know|knows|knowing|knowledge|read|reads|reading|gain|get|understand|"
        r"understanding|explore|exploring|discover|discovering|do|does|doing|try|trying|"
        r"more|most|much|many|various|different|several|new|other|own|their|his|her|its|own|useful|helpful|"
        r"relevant|related|specific|certain|particular|interesting|great|strong|deep|good|broad|diverse|varied|wide|"
        r"range|"
        r"variety|thing|things|stuff|something|anything|everything|subjects?|topics?|matters?|information|info|content|"
        r"material|field|area|areas|issue|issues|idea|ideas|activities|hobbies|life|world|discussed|described|"
        r"presented|"
        r"mentioned|given|provided|covered|question|here|it|they|them|kind|type|sort|sorts|average|normal|ordinary|"
        r"typical|regular|ordinary|very|really|aspects?|around|them|themselves|experiences?|perspectives?|trends|"
        r"facts|insights|"
        r"details|views?|future|society|people|growth|improve|improving|share|sharing|open|minded)\b)+\W*$",
        r"^(?:[，。、；！\s]|一[个位名类群些]|某[个位]|有|对|该|这|此|那|个|话题|主题|内容|领域|问题|信息|知识|事物|东西|事情|各种|不同|一些|某些|新|很|"
        r"非常|十分|比较|特别|感兴趣|兴趣|有兴趣|好奇|喜欢|热爱|爱|想|要|想要|希望|渴望|愿意|需要|了解|学习|知道|探索|阅读|获取|寻找|关注|关心|"
        r"更多|相关|有关|方面|的|人|人士|人群|读者|用户|者|朋友|普通|一般|大众|受众|个人|感到|充满|抱有|怀有|拥有|有着|好奇心|各类|各方面|世界|周围|自己|未知|新鲜|奇妙|美好|享受|追求|尝试|"
        r"挑战|机会|能|能够|不断|积极|一切|提升|发展|"
        r"任意|群体|生活|任何|所有|可能|会|和|与|或|并|且|对于|事)+$",
        r"(?i)^(?:\W*(?:человек|люди|кто-то|кто-нибудь|некто|тот|те|читатель|читательница|пользователь|личность|"
        r"персона|все|кто|"
        r"котор[а-яё]+|интересу[а-яё]+|интерес[а-яё]*|заинтересованн[а-яё]+|увлека[а-яё]+|увлечён[а-яё]*|"
        r"увлечен[а-яё]*|люб[а-яё]+|нрав[а-яё]+|хо[чт][а-яё]+|жела[а-яё]+|стрем[а-яё]+|"
        r"узна[а-яё]+|изуча[а-яё]+|зна[а-яё]+|понима[а-яё]+|уч[а-яё]+|чита[а-яё]+|ищ[а-яё]+|ищущ[а-яё]+|получ[а-яё]+|"
        r"тем[а-яё]+|предмет[а-яё]*|вопрос[а-яё]*|"
        r"вещ[а-яё]+|информаци[а-яё]+|знани[а-яё]+|област[а-яё]+|жизн[а-яё]+|мир[а-яё]*|нов[а-яё]+|разн[а-яё]+|"
        r"различн[а-яё]+|интересн[а-яё]+|полезн[а-яё]+|данн[а-яё]+|эт[а-яё]+|"
        r"обсуждаем[а-яё]+|больше|много|многим|многое|всё|все|всем|что-то|чем-то|окружающ[а-яё]+|аспект[а-яё]*|"
        r"сфер[а-яё]+|открыва[а-яё]+|впечатлени[а-яё]+|возможност[а-яё]+|какой-то|обычн[а-яё]+|прост[а-яё]+|и|"
        r"в|о|об|к|с|про|на|для|быть|может|могут|"
        r"он|она|ему|ей|им|этим|его|её|очень|также|себя|для))+\W*$",
    )
)

# A list, or objects of JSON, where one description was asked for.
SEVERAL_PERSONAS = "|".join(
    (
        r"(?s)^\W*1\s*[.)、．:：].*[\s。.;；]2\s*[.)、．:：]",
        r"(?s)^\W*1[)）].{3,}[(（]2[)）]|^An? [^.;]+;\s*An? |^[Oo]ne [^.;]+;\s*another ",
        r"(?s)^\W*[(（]?[1一①][)）、.①]?.{3,}[\s。.;；][(（]?[2二②][)）、.②]\s*\S",
        r"(?s)^\s*[-*•–—]\s.*[\n.;。；]\s*[-*•–—]\s",
        r"(?s)^\W*(?:an?|одна?|一[位名个])\s?[^\n]+\n\s*(?:[-*•]\s|\d+[.)]\s|[Aa]n?\s|一[位名个])",
        r"(?i:\bpersona\s*1\b.*\bpersona\s*2\b)|第一[位名个].*第二[位名个]|(?i:\bпервый (?:персонаж|"
        r"человек).*\bвторой (?:персонаж|человек))",
    )
)

# A short text says its language by the words that every sentence has, or by letters that the language lacks.
FUNCTION_WORDS_EN = r"(?i)\b(?:an?|the|who|of|in|and|with|for|to|from|at|on|by|whose|is|i|that|as)\b"
FOREIGN_OPENING_EN = r"^\W*(?:Un[ae]?|Uma?|Eine?|Een|El|La|Le|Il|De[rn]|Die|Das|Bir|En|Ett|Soy|Je|Ich)\s+\p{Ll}"
FOREIGN_LETTERS_RU = r"[іїєґўјљњћђғқңөұүһәҳҷІЇЄҐЎЈЉЊЋЂҒҚҢӨҰҮҺӘҲҶ]"
