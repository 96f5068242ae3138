import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persona_assets.engines.offline.data import LANGUAGES, Language, Trait, indefinite, occupation_index, occupations
from persona_assets.engines.offline.keyphrases import keyphrases, persona_topics
from persona_assets.engines.offline.people import named
from persona_assets.engines.offline.reading import count_tokens, read
from persona_assets.prompts import Message


def user(content: str) -> list[Message]:
    return [Message(role="system", content="<language>Russian</language>"), Message(role="user", content=content)]


def test_only_sections_of_the_user_message_are_read_and_the_first_of_a_name_counts() -> None:
    reading = read(user("<language>Chinese</language>\n<kind>a</kind><kind>b</kind>\n<persona>\np\n</persona>"))
    assert (reading.language, reading.values["kind"], reading.source) == ("zh", "a", "p")


def test_the_named_section_is_what_a_question_is_about() -> None:
    reading = read(user("<world>w</world><persona>p</persona>"), "world")
    assert (reading.source, reading.source_name) == ("w", "world")


def test_a_later_turn_has_what_another_speaker_said_whatever_sections_the_prompt_has() -> None:
    first = Message(role="user", content="<request>r</request><heard>no</heard>")
    said = [Message(role="assistant", content="one"), Message(role="user", content="two")]
    reading = read([first, *said], "request", turn=2)
    assert (reading.source, reading.values["before"], reading.values["heard"]) == ("r", "one", "two")
    assert read([first], "request").values == {"heard": "no"}


def test_a_prompt_without_sections_is_about_itself() -> None:
    assert read(user("just text")).source == "just text"


def test_keyphrases_are_noun_phrases_that_recur() -> None:
    text = "The fever charts are on the wall. Nurses check fever charts twice. They quickly write down the dosage."
    found = keyphrases(text, "en")
    assert found[0] == "fever charts"
    assert not {"quickly", "twice", "check"} & set(" ".join(found).split())


def test_names_and_addresses_are_no_keyphrases() -> None:
    text = (
        "Write to Anna Petrova at anna.petrova@mail.example or call. See https://petrova.example/bees and "
        "www.petrova.example today. Our garden and our garden shed belong to Anna Petrova, said Anna Petrova."
    )
    joined = " ".join(keyphrases(text, "en")).lower()
    assert "garden" in joined
    assert not any(word in joined for word in ("anna", "petrova", "example", "mail"))


def test_chinese_keyphrases_are_words_and_not_their_fragments() -> None:
    text = "潮间带生物的观察。潮间带在退潮后露出，潮间带里有海葵。观察海葵要慢，海葵会收缩。"
    found = keyphrases(text, "zh")
    assert {"潮间带", "海葵"} <= set(found)
    assert "间带" not in found


def test_russian_verbs_and_lone_adjectives_are_no_keyphrases() -> None:
    found = keyphrases(
        "Наш старый мост починили. Раньше старый мост скрипел и качался. Там проходит новая дорога.", "ru"
    )
    assert "старый мост" in found
    assert not {"починили", "скрипел", "качался", "проходит", "старый", "новая"} & set(found)


def test_quoted_topics_of_a_persona_are_taken_as_they_stand() -> None:
    assert persona_topics("一名护士，想了解“发烧表格”和“夜班交接”", "zh") == ["发烧表格", "夜班交接"]
    assert persona_topics("Повар, который читает о теме «варка борща»", "ru") == ["варка борща"]


def test_phrases_of_a_persona_are_not_taken_for_its_topics() -> None:
    text = "who wants a clearer account of mites and collects stories about hive weights with friends"
    assert set(persona_topics(text, "en")) <= {"mites", "hive weights", "stories", "hive"}


@given(st.text(max_size=300), st.sampled_from(LANGUAGES))
@settings(max_examples=80, deadline=None)
def test_keyphrases_of_any_text_are_few_distinct_and_of_one_line(text: str, language: Language) -> None:
    found = keyphrases(text, language, 5)
    assert len(found) == len(set(found)) <= 5
    assert all(phrase.strip() and "\n" not in phrase for phrase in found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_occupation_is_found_by_its_own_name(language: Language) -> None:
    for occupation in occupations():
        person = occupation.people[language]
        found = named(person.indef, language)
        assert found is not None
        assert found.name == person.name


def test_the_person_named_first_counts() -> None:
    found = named("A child who asks a nurse about the teacher", "en")
    assert found is not None
    assert found.id == "child"
    assert named("No occupation here at all", "en") is None


@pytest.mark.parametrize("phrase", ["an engineer", "a university lecturer", "an hour", "an accountant", "a nurse"])
def test_english_articles(phrase: str) -> None:
    assert indefinite(phrase.split(" ", 1)[1], "en") == phrase


def test_russian_forms_agree_in_gender() -> None:
    nurse, cook = (occupation_index()[key].people["ru"] for key in ("nurse", "cook"))
    trait = Trait("young", "年轻的", ("молодой", "молодая"))
    assert (nurse.who, trait.of(nurse)) == ("которая", "молодая")
    assert (cook.who, trait.of(cook)) == ("который", "молодой")
    assert trait.of(occupation_index()["child"].people["ru"]) == ""


def test_tokens_are_words_and_chinese_characters() -> None:
    assert count_tokens("two words 三个字") == 3 + 3
