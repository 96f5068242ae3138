"""The quality rules for one persona by itself.

Persona Hub filters by heuristics too (section 2.3), but has not published them. A rule looks at a frame with `text` and
`language` and answers, per row, what it saw: a string where the persona must go, null where it may stay. Rules run in
the order in which they stand here; the first that sees something names the reason.
"""

import polars as pl

from persona_assets.personas.names import see_names
from persona_assets.rules.identifiers import CHECKED_LIKE, checked_number, contact_patterns
from persona_assets.rules.patterns import expressions
from persona_assets.rules.registry import rule, rules
from persona_assets.text.language import identify
from persona_assets.text.tokens import token_lists

MIN_WORDS = 2.5  # "a poet" gives a prompt nothing to work with; "a casual hitchhiker" does
MAX_WORDS = 120.0  # three times the length that the prompt asks for is a story, not a description
MAX_CHARACTERS = 1000  # bounds the work on text without words
UNSPACED_WEIGHT = 0.5  # a character of a script without spaces, in words
MIN_OWN_SCRIPT = 0.3  # share of words in the script of the language; names and products are often in another
MIN_CONFIDENCE = 0.9  # below it the identification of one sentence is a guess
MIN_IDENTIFIED_WORDS = 6.0  # fewer words are too few to identify a language by
DOUBTED_CONFIDENCE = 0.6  # the same where nothing in the text speaks for its language
DOUBTED_WORDS = 4.0
KANA_WEIGHT = 5  # Japanese is half kana, Chinese quotes one at most: so many Han characters does one outweigh
LOOP_TOKENS = 12  # shorter texts repeat words by chance
MIN_DISTINCT_PAIRS = 0.6  # of neighbouring tokens; ordinary sentences have 0.9 and more
MAX_RUN = 3  # times the same token may follow itself

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_SPACED = r"[[\p{L}\p{M}\p{N}'’]--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]+"
_ANY_SCRIPT = (
    _UNSPACED
    + "|"
    + "|".join(
        rf"\p{{{script}}}+" for script in ("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Hangul", "Devanagari")
    )
)
# Languages that are not listed are written in Latin script.
_SCRIPTS = (
    (("zh",), r"\p{Han}"),
    (("ja",), r"[\p{Han}\p{Hiragana}\p{Katakana}]"),
    (("ko",), r"\p{Hangul}+"),
    (("th",), r"\p{Thai}"),
    (("el",), r"\p{Greek}+"),
    (("he", "yi"), r"\p{Hebrew}+"),
    (("ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "mn", "tg"), r"\p{Cyrillic}+"),
    (("ar", "fa", "ur", "ps"), r"\p{Arabic}+"),
    (("hi", "mr", "ne"), r"\p{Devanagari}+"),
)
_TOLD_BY_SCRIPT = frozenset(("zh", "ja", "ko", "th", "el", "he"))  # where identification adds only mistakes
_TEXT = pl.col("text")
_WORDS = _TEXT.str.count_matches(_SPACED) + UNSPACED_WEIGHT * _TEXT.str.count_matches(_UNSPACED)


@rule("persona")
def empty(frame: pl.DataFrame) -> pl.Series:
    """No letter and no digit."""
    return _where(frame, ~_TEXT.str.contains(r"[\p{L}\p{N}]"), pl.lit("no letter or digit"))


@rule("persona")
def too_long(frame: pl.DataFrame) -> pl.Series:
    """More than `MAX_WORDS` words or `MAX_CHARACTERS` characters."""
    characters = _TEXT.str.len_chars()
    is_long = (_WORDS > MAX_WORDS) | (characters > MAX_CHARACTERS)
    return _where(frame, is_long, pl.format("{} words, {} characters", _WORDS, characters))


@rule("persona")
def broken_characters(frame: pl.DataFrame) -> pl.Series:
    """Replacement or control characters, text decoded by the wrong code page, escapes left over."""
    return _found(frame, "broken")


@rule("persona")
def refusal(frame: pl.DataFrame) -> pl.Series:
    """The model declines or excuses itself."""
    return _found(frame, "refusal")


@rule("persona")
def meta_talk(frame: pl.DataFrame) -> pl.Series:
    """The model talks about its answer or about "the persona" instead of describing a person."""
    return _found(frame, "meta_talk")


@rule("persona")
def several_personas(frame: pl.DataFrame) -> pl.Series:
    """A list of people, where one was asked for."""
    return _found(frame, "several_personas")


@rule("persona")
def contact_data(frame: pl.DataFrame) -> pl.Series:
    """A number, link, handle or address that leads to somebody; the detail names the kind and repeats nothing."""
    kinds = [pl.when(_TEXT.str.contains(one)).then(pl.lit(kind)) for kind, one in contact_patterns()]
    found = frame.select(pl.coalesce(kinds)).to_series().to_list()
    candidates = frame.select(_TEXT.str.contains(CHECKED_LIKE)).to_series().to_list()
    texts = frame["text"].to_list()
    for row, candidate in enumerate(candidates):
        if found[row] is None and candidate:
            found[row] = checked_number(texts[row])
    return pl.Series(found, dtype=pl.String)


@rule("persona")
def personal_name(frame: pl.DataFrame) -> pl.Series:
    """The persona is introduced by a personal name; naming somebody else, as a fan does, is not a fault."""
    return see_names(frame["text"])


@rule("persona")
def refers_to_text(frame: pl.DataFrame) -> pl.Series:
    """Points at a text or an author that the reader of the persona does not have."""
    return _found(frame, "refers_to_text")


@rule("persona")
def too_short(frame: pl.DataFrame) -> pl.Series:
    """Fewer than `MIN_WORDS` words."""
    return _where(frame, _WORDS < MIN_WORDS, pl.format("{} words", _WORDS))


@rule("persona")
def wrong_language(frame: pl.DataFrame) -> pl.Series:
    """Not in the script of its language, or identified with confidence as another language."""
    own = _TEXT.str.count_matches(r"\p{Latin}+")
    for languages, script in _SCRIPTS:
        own = pl.when(pl.col("language").is_in(languages)).then(_TEXT.str.count_matches(script)).otherwise(own)
    kana = _TEXT.str.count_matches(r"[\p{Hiragana}\p{Katakana}]")
    own = (
        pl.when(pl.col("language") == "zh").then(own.cast(pl.Int64) - KANA_WEIGHT * kana).otherwise(own.cast(pl.Int64))
    )
    share = own / _TEXT.str.count_matches(_ANY_SCRIPT)
    doubted = ~_contains(_TEXT, "function_words") & (pl.col("language") == "en")
    foreign = pl.coalesce(
        pl.when(share < MIN_OWN_SCRIPT).then(pl.format("{}% in the script of {}", (100 * share).round(), "language")),
        pl.when(pl.col("language") == "ru").then(_first("foreign_letters")),
        pl.when(doubted).then(_first("foreign_opening").str.strip_chars()),
    )
    doubted = doubted | (pl.col("language") == "ru")
    least_words = pl.when(doubted).then(DOUBTED_WORDS).otherwise(MIN_IDENTIFIED_WORDS)
    least = pl.when(doubted).then(DOUBTED_CONFIDENCE).otherwise(MIN_CONFIDENCE)
    judged = frame.select(
        "text",
        "language",
        seen=foreign,
        least=least,
        open=foreign.is_null() & (least_words <= _WORDS) & ~pl.col("language").is_in(_TOLD_BY_SCRIPT),
    ).with_row_index("row")
    seen = judged["seen"].to_list()
    left = judged.filter("open")
    for (row, _, expected, _, at_least, _), (code, confidence) in zip(
        left.iter_rows(), identify(left["text"].to_list()), strict=True
    ):
        if code != expected and confidence >= at_least:
            seen[row] = f"{code} at {confidence:.2f}, expected {expected}"
    return pl.Series(seen, dtype=pl.String)


@rule("persona")
def not_a_person(frame: pl.DataFrame) -> pl.Series:
    """The head noun is an organisation, a text, a product or a place."""
    (thing,) = expressions("thing")
    is_head = ~_contains(_TEXT.str.extract(thing, 1), "modified_otherwise")
    in_english = pl.when(is_head).then(_TEXT.str.extract(thing, 0))
    return frame.select(pl.coalesce(in_english, _first("not_a_person")).str.strip_chars()).to_series()


@rule("persona")
def vague(frame: pl.DataFrame) -> pl.Series:
    """Nothing that tells one person from another: "a person who likes things"."""
    return _found(frame, "vague")


@rule("persona")
def repetitive(frame: pl.DataFrame) -> pl.Series:
    """The same word over and over, or a phrase in a loop."""
    tokens = pl.col("tokens")
    run = tokens.list.eval(pl.element().rle().struct.field("len").max()).list.first()
    pairs = tokens.list.eval(pl.concat_str(pl.element(), pl.element().shift(), separator=" ").drop_nulls())
    distinct = pairs.list.n_unique() / pairs.list.len()
    loops = (tokens.list.len() >= LOOP_TOKENS) & (distinct < MIN_DISTINCT_PAIRS)
    seen = pl.coalesce(
        pl.when(run > MAX_RUN).then(pl.format("one word {} times in a row", run)),
        pl.when(loops).then(pl.format("{} of neighbouring pairs differ", distinct.round(2))),
    )
    return frame.select(token_lists(frame["text"]).alias("tokens")).select(seen).to_series()


@rule("persona")
def unfinished(frame: pl.DataFrame) -> pl.Series:
    """Cut in the middle: a dangling comma, conjunction, article, bracket or ellipsis at the end."""
    preposition = pl.when(~_contains(_TEXT, "stranded")).then(_first("ends_in_preposition"))
    return frame.select(pl.coalesce(_first("cut_off"), preposition).str.strip_chars()).to_series()


def reject_reason(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` (with `text`, `language`) plus `reason` and `detail` of the first rule that sees something, or null."""
    reason: list[str | None] = [None] * frame.height
    detail: list[str | None] = [None] * frame.height
    left = frame.select("text", "language").with_row_index("row")
    for one in rules("persona").values():
        if left.is_empty():
            break
        seen = one.see(left)
        for row, what in zip(left["row"].filter(seen.is_not_null()), seen.drop_nulls(), strict=True):
            reason[row], detail[row] = one.name, what
        left = left.filter(seen.is_null())
    return frame.with_columns(
        pl.Series("reason", reason, dtype=pl.String), pl.Series("detail", detail, dtype=pl.String)
    )


def _found(frame: pl.DataFrame, name: str) -> pl.Series:
    return frame.select(_first(name)).to_series()


def _first(name: str) -> pl.Expr:
    """What the first expression of a pattern that finds something finds in the text."""
    return pl.coalesce(_TEXT.str.extract(one, 0) for one in expressions(name))


def _contains(text: pl.Expr, name: str) -> pl.Expr:
    return pl.any_horizontal(text.str.contains(one) for one in expressions(name))


def _where(frame: pl.DataFrame, condition: pl.Expr, detail: pl.Expr) -> pl.Series:
    return frame.select(pl.when(condition).then(detail)).to_series()
