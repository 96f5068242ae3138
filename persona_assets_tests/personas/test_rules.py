from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.personas.rules import reject_reason
from persona_assets.rules.identifiers import checked_number
from persona_assets.rules.registry import rules

JUDGED = Path(__file__).with_name("data") / "judged.tsv"

HUB = Path(__file__).parents[2].parent / "shared" / "data" / "persona_hub" / "data" / "tool.jsonl"

# Personas that no rule may touch: occupations that contain the names of things, names of public people, quotes, mixes.
GOOD = [
    ("en", "A night-shift nurse on a rural maternity ward who worries about staffing"),
    ("en", "a casual hitchhiker"),
    ("en", "A company accountant who closes the books of three small firms"),
    ("en", "A school teaching assistant who helps pupils with dyslexia"),
    ("en", "A hospital on-call doctor in her first year"),
    ("en", "A representative from a leading software company, keen on open standards"),
    ("en", "A university of the third age student who paints birds at dawn"),
    ("en", "A museum guard, bored and observant, who sketches the visitors"),
    ("en", "A chef opening a restaurant in a fishing village"),
    ("en", "An introverted author whose latest novel has been praised and criticised"),
    ("en", "A science-fiction author who argues with readers about faster-than-light travel"),
    ("en", "The author of a field guide to mosses, tired of being asked about lawns"),
    ("en", "An AI engineer who works as an AI safety lead and cannot stop talking about it"),
    ("en", "I am a retired tram driver who cannot read small print any more"),
    ("en", "A loyal fan of Dr. Jane Goodall who volunteers at an animal shelter"),
    ("en", "A mother who named her daughter after a river"),
    ("en", "A patient who has been on the waiting list for a while"),
    ("en", "A beekeeper with 1200 hives in 14 counties and a debt of 250,000 dollars"),
    ("en", "A CSS developer who swears by @media queries and dark themes"),
    ("en", "A fan of Booking.com who compares 10-15 offers before each trip"),
    ("en", "A translator of 周杰伦 lyrics who lives in Leeds"),
    ("en", "Vegetarian caterer for weddings, born in São Tomé, trained in a café in Orléans"),
    ("en", "An editor of the author's unpublished letters who knows every coffee stain"),
    ("en", "A film extra who has played 1. a corpse and 2. a sailor, never with a line"),
    ("en", "A person who has never left the island"),
    ("en", "A teenager with nobody to play chess with"),
    ("en", "A community nurse who cycles between farms"),
    ("en", "Data Scientist, who hates spreadsheets"),
    ("en", "May is the busiest month for this wedding florist"),
    ("en", "Hunter, trapper and guide who distrusts satellite maps"),
    ("en", "Christian missionary, a former boxer, building wells"),
    ("en", "A mother of a boy named Tyler who is allergic to nuts"),
    ("en", "Elvis Presley impersonator, who works weddings in Reno"),
    ("en", "A carer in Cork, Ireland, who sings to her patients"),
    ("en", "Bruce Miller's colleague and friend, also a soil scientist"),
    ("en", "A collector of stamps from 1890 to 1914 who has 300 to 400 of them and wants vitamin A"),
    ("zh", "一位夜班护士，担心乡村产科病房人手不足"),
    ("zh", "篮球评论员"),
    ("zh", "一家软件公司的会计，负责三家小企业的账目"),
    ("zh", "科幻小说作者，常与读者讨论时间旅行"),
    ("zh", "他在县城经营一家餐厅，关心食材的来源"),
    ("zh", "作为一名人工智能工程师，我喜欢研究语音识别"),
    ("zh", "一位使用 Python 和 Java 的后端开发者，热心公益活动"),
    ("zh", "一名熱衷於追劇和東亞文化的退休書店老闆。"),
    ("zh", "一个性格随和、积极参与社区活动的老人"),
    ("zh", "热心的自行车社区志愿者和业余自行车赛事追随者"),
    ("zh", "研究中国与日本文化交流的研究生"),
    ("zh", "因此文件丢失而被处分的档案员"),
    ("zh", "一名应该文武双全却偏科严重的特警"),
    ("zh", "一家三口租住在城郊，父亲在工厂上夜班的中学生"),
    ("zh", "部队转业后在银行当保安的中年人"),
    ("zh", "高中生，课余在父母的面馆里跑堂"),
    ("zh", "安静内向，喜欢收集火车票的会计"),
    ("zh", "一位养了一只名叫豆豆的猫的独居老人"),
    ("zh", "一位性格温和的狱警"),
    ("ru", "Лев Толстой — его кумир: учитель, бросивший курить"),
    ("ru", "Хозяин кота по имени Барсик, живущий без лифта на пятом этаже"),
    ("ru", "Жительница Ростова, торгующая раками у дороги"),
    ("ru", "Марка любой страны радует этого коллекционера-почтальона"),
    ("ru", "Девушка, которая знает, чего хочет"),
    ("ru", "Слесарь, которому всё равно, что о нём думают"),
    ("ru", "Ночная медсестра в сельском роддоме, которую тревожит нехватка персонала"),
    ("ru", "Бухгалтер компании, который ведёт отчётность трёх небольших фирм"),
    ("ru", "Автор статей о пчеловодстве, который каждое лето живёт на пасеке"),
    ("ru", "Старший разработчик ПО с опытом работы в Big Tech"),
    ("ru", "Учительница начальных классов, мечтающая о собственной библиотеке"),
    ("ru", "Писатель-фантаст, который спорит с читателями о времени"),
    ("ru", "Водитель трамвая с 30-летним стажем, знающий каждую остановку"),
    ("de", "Eine Imkerin aus dem Allgäu, die ihren Honig auf dem Wochenmarkt verkauft"),
]

# (rule, language, text): what each rule must see.
BAD = [
    ("empty", "en", ""),
    ("empty", "zh", " …—！？ "),
    ("too_short", "en", "A poet"),
    ("too_short", "zh", "老师"),
    ("too_short", "ru", "Юный поэт"),
    ("too_long", "en", "A nurse who walks. " * 40),
    ("too_long", "zh", "一位夜班护士，担心乡村产科病房人手不足。" * 15),
    ("too_long", "ru", "Медсестра, которая ходит пешком. " * 40),
    ("too_long", "en", "x" * 1001),
    ("broken_characters", "en", "A caf\ufffd owner who bakes at night"),
    ("broken_characters", "en", "A nurse\x07 who works at night"),
    ("broken_characters", "en", "A cafÃ© owner who doesnâ€™t sleep"),
    ("broken_characters", "en", "A nurse who writes \\ud83d in every note"),
    ("broken_characters", "en", "A baker who works for Smith &amp; Sons"),
    ("broken_characters", "zh", "ä¸€ä½å¤œç­æŠ¤å£«"),
    ("broken_characters", "ru", "РџРёСЃР°С‚РµР»СЊ, РєРѕС‚РѕСЂС‹Р№"),
    ("broken_characters", "ru", "??????? ????????, который работает"),
    ("refusal", "en", "I'm sorry, but there is not enough to go on."),
    ("refusal", "en", "I cannot provide a persona for harmful content."),
    ("refusal", "en", "As an AI language model, I have no opinion on who reads it."),
    ("refusal", "en", "Unfortunately, nobody fits this description"),
    ("refusal", "zh", "抱歉，我无法根据这些内容回答。"),
    ("refusal", "zh", "作为一个人工智能语言模型，我没有个人观点"),
    ("refusal", "ru", "К сожалению, я не могу помочь с этим запросом."),
    ("refusal", "ru", "Как языковая модель, я не имею мнения о людях"),
    ("meta_talk", "en", "Sure! A nurse who works at night in a small town"),
    ("meta_talk", "en", "Here is a persona: a nurse who works at night"),
    ("meta_talk", "en", "Persona: a nurse who works at night"),
    ("meta_talk", "en", "A pitcher who struggles with writing and seeks help from the persona"),
    ("meta_talk", "en", '{"persona": "a nurse who works at night"}'),
    ("meta_talk", "en", "A [occupation] who lives in a small town"),
    ("meta_talk", "zh", "以下是一位读者的描述：夜班护士"),
    ("meta_talk", "zh", "好的，一位夜班护士，担心人手不足"),
    ("meta_talk", "ru", "Конечно! Медсестра, которая работает по ночам"),
    ("meta_talk", "ru", "Персона: медсестра, которая работает по ночам"),
    ("meta_talk", "en", "**User profile:** a nurse who works at night"),
    ("meta_talk", "en", "The protagonist's profile - none. Here is one persona: a nurse"),
    ("meta_talk", "zh", "用户画像：夜班护士，担心人手不足"),
    ("meta_talk", "zh", "【人物画像】夜班护士，担心人手不足"),
    ("meta_talk", "ru", "Портрет читателя: медсестра, которая работает по ночам"),
    ("several_personas", "en", "1. A nurse who works at night. 2. A priest who complains about the bells."),
    ("several_personas", "en", "- A nurse who works at night\n- A priest who complains about the bells"),
    ("several_personas", "zh", "1. 一位夜班护士。2. 一位敲钟的神父。"),
    ("several_personas", "zh", "（1）夜班护士（2）敲钟的神父"),
    ("several_personas", "ru", "1. Медсестра с ночной смены. 2. Священник из соседнего храма."),
    ("contact_data", "en", "A potter who takes orders at clay.works@example.org"),
    ("contact_data", "en", "A potter who takes orders at clay (at) example (dot) org"),
    ("contact_data", "en", "A potter who takes orders at clay at example dot com"),
    ("contact_data", "zh", "一位陶艺师，加微信 taoyi2008 预约"),
    ("contact_data", "en", "A potter who shows bowls on https://example.org/bowls"),
    ("contact_data", "en", "A potter who shows bowls on www.example.org"),
    ("contact_data", "en", "A potter to be called at (212) 555-0147 after six"),
    ("contact_data", "en", "A potter to be called at +44 20 7946 0958 after six"),
    ("contact_data", "en", "A potter who posts as @clay_works_77 every day"),
    ("contact_data", "en", "A potter, find her on Instagram: @claymaker"),
    ("contact_data", "en", "A potter who lives at 48 Willow Park Road with two dogs"),
    ("contact_data", "en", "A pensioner whose social security number is 078-05-1120"),
    ("contact_data", "en", "A shopper who pays with 4539 1488 0343 6467 each week"),
    ("contact_data", "en", "A freelancer paid to DE89 3704 0044 0532 0130 00 each month"),
    ("contact_data", "zh", "一位陶艺师，联系电话13812345678，住在郊区"),
    ("contact_data", "zh", "一位陶艺师，微信号：taoyi_2008，接受定制"),
    ("contact_data", "zh", "一位陶艺师，住在幸福路128号，养了两只狗"),
    ("contact_data", "zh", "一位退休工人，身份证号11010519491231002X，喜欢钓鱼"),
    ("contact_data", "zh", "一位陶艺师，固定电话010-62345678"),
    ("contact_data", "ru", "Гончар, телефон +7 (912) 345-67-89, работает на заказ"),
    ("contact_data", "ru", "Гончар, которому звонят по номеру 8 912 345 67 89"),
    ("contact_data", "ru", "Гончар, живущий на ул. Садовой, д. 14, с двумя собаками"),
    ("contact_data", "ru", "Пенсионерка, чей паспорт 4510 123456 пропал на рынке"),
    ("personal_name", "en", "Laura Sonnheim, a former teacher who now keeps bees"),
    ("personal_name", "en", "Dr. Sophia Leeman, who has published on fiscal policy"),
    ("personal_name", "en", "A middle-aged woman named Inga who loves languages"),
    ("personal_name", "en", "I am Nancy, a homemaker from Omaha who likes knitting"),
    ("personal_name", "zh", "一位名叫张伟的出租车司机，喜欢象棋"),
    ("personal_name", "ru", "Таксист по имени Сергей, который любит шахматы"),
    ("personal_name", "ru", "Иван Петрович Сидоров, таксист и любитель шахмат"),
    ("personal_name", "en", "Harriet Plumber, a retired teacher"),
    ("personal_name", "en", "Rafał Nieborak, who coaches a rowing club"),
    ("personal_name", "en", "Zhang Xiaoyu is a nurse who runs marathons"),
    ("personal_name", "en", "Meet Adaeze, a barista with a notebook"),
    ("personal_name", "en", "A nurse at a county hospital called Joan Thistlewood who cares about staffing"),
    ("personal_name", "en", "A retired teacher, Mary Ellen Ashwater, who feeds stray cats"),
    ("personal_name", "en", "A midwife in Cork (Siobhan Driver) who has delivered half the village"),
    ("personal_name", "en", "Retired postman Troy Sergeant, who feeds stray cats"),
    ("personal_name", "en", "Tom fixes bikes in a shed behind the pub"),
    ("personal_name", "en", "Labukhe, a 45-year-old electrician"),
    ("personal_name", "en", "Grace, a bricklayer who plays draughts"),
    ("personal_name", "en", "J. R. Whitcombe, a notary who collects beetles"),
    ("personal_name", "en", "Sean O'Driscoll, Head of Outreach at a shelter"),
    ("personal_name", "zh", "王小明，一名热爱机器人的中学生"),
    ("personal_name", "zh", "李静是一位产品经理"),
    ("personal_name", "zh", "赵建国（出租车司机）"),
    ("personal_name", "zh", "欧阳修远，退休教师，喜欢下棋"),
    ("personal_name", "zh", "一位退休的外科医生，刘德海，如今在乡下义诊"),
    ("personal_name", "zh", "退休教师王丽华，喜欢在公园唱戏"),
    ("personal_name", "zh", "约翰·史密斯，一名退休邮递员"),
    ("personal_name", "zh", "老王，小区门卫，爱管闲事"),
    ("personal_name", "zh", "陈女士，一位热爱烘焙的主妇"),
    ("personal_name", "ru", "Сергей Кузнецов, инженер по холодильным установкам"),
    ("personal_name", "ru", "Кузнецова Елена, швея из пригорода"),
    ("personal_name", "ru", "Ольга, 34 года, бухгалтер"),
    ("personal_name", "ru", "А. П. Соколова, заведующая аптекой"),
    ("personal_name", "ru", "Знакомьтесь: Павел, пекарь из Вологды"),
    ("personal_name", "ru", "Отставной полковник, Геннадий Ручьёв, выращивающий тыквы"),
    ("personal_name", "ru", "Врач-педиатр (Нина Сергеевна), которую знает весь район"),
    ("personal_name", "ru", "Учительница Нина Павловна, которую боится вся школа"),
    ("refers_to_text", "en", "An opponent of the ideas presented in this piece"),
    ("refers_to_text", "zh", "一位对文章内容感兴趣的会计"),
    ("refers_to_text", "ru", "Рыбак, упомянутый в этой статье"),
    ("refers_to_text", "ru", "Учитель, которому близка тема статьи"),
    ("refers_to_text", "en", "A consumer who is worried by the concern raised in this article"),
    ("refers_to_text", "en", "A parishioner of the church mentioned in the text"),
    ("refers_to_text", "en", "A critic who disagrees with the author"),
    ("refers_to_text", "en", "A teacher who uses the author's stories in class"),
    ("refers_to_text", "zh", "对本文内容感兴趣的历史爱好者"),
    ("refers_to_text", "zh", "不同意作者的观点的经济学家，喜欢辩论"),
    ("refers_to_text", "ru", "Читатель, которому интересен этот текст о пчёлах"),
    ("refers_to_text", "ru", "Критик, который спорит с тем, что пишет автор статьи."),
    ("wrong_language", "en", "一位夜班护士，担心乡村产科病房人手不足"),
    ("wrong_language", "en", "Soy un desarrollador de software con muchos años de experiencia en bases de datos"),
    ("wrong_language", "en", "Una maestra jubilada"),
    ("wrong_language", "en", "Emerytowany nauczyciel matematyki lubi góry"),
    ("wrong_language", "ru", "Пенсіонерка з Києва"),
    ("wrong_language", "zh", "A night-shift nurse on a rural ward who worries about staffing"),
    ("wrong_language", "zh", "夜勤の看護師で、田舎の病院で人手不足を心配している"),
    ("wrong_language", "ru", "A night-shift nurse on a rural ward who worries about staffing"),
    ("wrong_language", "ru", "Нічна медсестра у сільській лікарні, яку турбує нестача персоналу та ліків"),
    ("not_a_person", "en", "A pharmaceutical company seeking advice on patents"),
    ("not_a_person", "en", "An online learning platform that adapts to each pupil"),
    ("not_a_person", "en", "A web design and development company collaborating with clients"),
    ("not_a_person", "en", "A small museum with a leaking roof"),
    ("not_a_person", "en", "It is a textbook about the geology of rift valleys"),
    ("not_a_person", "en", "A website, known for its recipes and its comments"),
    ("not_a_person", "en", "Notes on sourdough, kept by a baker"),
    ("not_a_person", "zh", "一家为中小企业提供服务的软件公司，致力于提高效率"),
    ("not_a_person", "zh", "一本介绍地质学的教材"),
    ("not_a_person", "zh", "一个面向学生的在线学习平台"),
    ("not_a_person", "ru", "Крупная фармацевтическая компания, занимающаяся вакцинами"),
    ("not_a_person", "ru", "Сайт о рыбалке с большим форумом"),
    ("not_a_person", "ru", "Учебник по геологии для старших классов"),
    ("not_a_person", "en", "A regional museum of textiles that lends looms to schools"),
    ("not_a_person", "en", "A group of companies that builds wind farms"),
    ("not_a_person", "en", "The local chamber of commerce, worried about parking"),
    ("not_a_person", "zh", "某市图书馆，藏书三十万册"),
    ("not_a_person", "zh", "中国登山协会，负责组织比赛"),
    ("not_a_person", "ru", "Интернет-магазин детской одежды, ищущий поставщиков"),
    ("not_a_person", "ru", "Сеть аптек, работающая по всему Уралу"),
    ("vague", "en", "A person who likes many different things"),
    ("vague", "en", "An individual with an interest in various subjects"),
    ("vague", "en", "Anyone who is curious about this topic"),
    ("vague", "zh", "对这个主题感兴趣的人"),
    ("vague", "zh", "一个喜欢学习新知识的人"),
    ("vague", "ru", "Человек, который любит узнавать новое"),
    ("vague", "ru", "Читатель, интересующийся данной темой"),
    ("repetitive", "en", "A nurse nurse nurse nurse who works at night"),
    ("repetitive", "en", "A nurse who cares and who cares and who cares and who cares and who cares and who cares"),
    ("repetitive", "zh", "一位护士喜欢阅读喜欢阅读喜欢阅读喜欢阅读喜欢阅读喜欢阅读"),
    ("repetitive", "ru", "Медсестра очень очень очень очень устала на работе"),
    ("unfinished", "en", "An immigrant who came to the city with nothing,"),
    ("unfinished", "en", "A nurse who works at night and"),
    ("unfinished", "en", "A nurse who works at night in the"),
    ("unfinished", "en", "A nurse who works at night..."),
    ("unfinished", "en", "A nurse who works at night (in a small"),
    ("unfinished", "zh", "一位夜班护士，担心人手不足，"),
    ("unfinished", "zh", "一位夜班护士，担心人手不足并且"),
    ("unfinished", "en", "A nurse who is responsible for the design and upkeep of"),
    ("unfinished", "en", "A nurse who wants to raise money for"),
    ("unfinished", "zh", "一位夜班护士，每到周末就会去"),
    ("unfinished", "zh", "一名关注教育公平的"),
    ("unfinished", "zh", "一位夜班护士，她认为"),
    ("unfinished", "ru", "Медсестра, увлечённая событиями, связанными с"),
    ("unfinished", "ru", "Медсестра, которая учится, потому что её"),
    ("unfinished", "ru", "Медсестра, которая работает по ночам и"),
    ("unfinished", "ru", "Медсестра, которая работает по ночам,"),
]


def frame(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame({"language": [row[0] for row in rows], "text": [row[1] for row in rows]})


def seen_by(rule: str, language: str, text: str) -> str | None:
    see = rules("persona")[rule].see
    return see(frame((language, text)))[0]


@pytest.mark.parametrize(("rule", "language", "text"), BAD)
def test_each_rule_by_itself_sees_what_it_is_for(rule: str, language: str, text: str) -> None:
    assert seen_by(rule, language, text) is not None


@pytest.mark.parametrize(("rule", "language", "text"), BAD)
def test_the_first_rule_in_order_gives_the_reason(rule: str, language: str, text: str) -> None:
    assert reject_reason(frame((language, text)))["reason"][0] == rule


@pytest.mark.parametrize(("language", "text"), GOOD)
def test_a_good_persona_is_seen_by_no_rule(language: str, text: str) -> None:
    seen = {name: one.see(frame((language, text)))[0] for name, one in rules("persona").items()}
    assert {reason: detail for reason, detail in seen.items() if detail is not None} == {}


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_hard_personas_written_before_the_rules_are_judged_as_a_person_would(language: str) -> None:
    """At least 95 % of the good kept and 85 % of the bad refused."""
    judged = pl.read_csv(JUDGED, separator="\t", has_header=False, new_columns=["language", "verdict", "text"])
    judged = reject_reason(judged.filter(language=language)).with_columns(kept=pl.col("reason").is_null())
    share = dict(judged.group_by("verdict").agg(pl.col("kept").mean()).iter_rows())
    assert judged.height == 50
    assert share["G"] >= 0.95
    assert share["B"] <= 0.15


def test_every_rule_has_cases_in_three_languages() -> None:
    cases = {(rule, language) for rule, language, _ in BAD}
    exempt = {"empty", "contact_data"}  # empty has no language
    for rule in rules("persona").values():
        if rule.name not in exempt:
            assert {language for reason, language in cases if reason == rule.name} == {"en", "zh", "ru"}, rule.name


def test_a_column_gives_the_same_as_its_rows_one_by_one() -> None:
    rows = [(language, text) for _, language, text in BAD] + GOOD
    together = reject_reason(frame(*rows))
    alone = pl.concat([reject_reason(frame(row)) for row in rows])
    assert together.equals(alone)


def test_the_detail_of_contact_data_repeats_nothing_of_it() -> None:
    judged = reject_reason(frame(("en", "A potter who takes orders at clay.works@example.org")))
    assert judged["detail"][0] == "email"


def test_an_empty_frame_is_no_problem() -> None:
    judged = reject_reason(frame())
    assert judged.columns == ["language", "text", "reason", "detail"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("4539 1488 0343 6467", "card_number"),
        ("4539 1488 0343 6468", None),
        ("1111111111111111", None),
        ("11010519491231002X", "identity_number"),
        ("110105194912310021", None),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("DE88 3704 0044 0532 0130 00", None),
    ],
)
def test_a_number_counts_only_with_the_right_check_digit(text: str, kind: str | None) -> None:
    assert checked_number(f"A payer with {text} in hand") == kind


@given(st.lists(st.text(max_size=200), max_size=8))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_a_rule_fail_and_every_row_is_judged(texts: list[str]) -> None:
    judged = reject_reason(frame(*(("en", text) for text in texts)))
    assert judged.height == len(texts)
    assert (judged["reason"].is_null() == judged["detail"].is_null()).all()
    assert set(judged["reason"].drop_nulls()) <= set(rules("persona"))


def test_hostile_length_is_cut_off_before_the_slower_rules() -> None:
    assert reject_reason(frame(("en", "ab " * 200_000)))["reason"][0] == "too_long"
    assert list(rules("persona")).index("too_long") == 1


@pytest.mark.skipif(not HUB.exists(), reason="the published personas are not on this machine")
def test_real_personas_are_refused_for_good_reasons_only() -> None:
    """Of these 5,000, a reading by eye found 59 organisations, 53 in another language than labelled here, 31 names."""
    personas = pl.read_ndjson(HUB).select(text="input persona")
    han, latin = pl.col("text").str.count_matches(r"\p{Han}"), pl.col("text").str.count_matches(r"\p{Latin}+")
    language = pl.when(han > latin).then(pl.lit("zh")).when(pl.col("text").str.contains(r"\p{Cyrillic}{3}"))
    judged = reject_reason(personas.with_columns(language=language.then(pl.lit("ru")).otherwise(pl.lit("en"))))
    counts = dict(judged["reason"].drop_nulls().value_counts().iter_rows())
    assert counts.pop("not_a_person") <= 60
    assert counts.pop("wrong_language") <= 55
    assert counts.pop("personal_name") <= 33
    assert sum(counts.values()) < 0.005 * judged.height
