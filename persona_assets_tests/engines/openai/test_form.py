import pytest

from persona_assets.engines.openai.faults import error_of
from persona_assets.engines.openai.form import Form, Refusal, Structure

FIELDS = ("temperature", "top_p", "max_tokens", "seed")
SCHEMA = Form()


def learned(form: Form, refusal: Refusal, *, structured: bool = False) -> dict[str, str] | None:
    """The names that fields are sent by after a refusal; None where nothing was learned."""
    after = form.after(refusal, FIELDS, structured=structured)
    return None if after is None else dict(after.names)


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
            "instead.",
            {"max_tokens": "max_completion_tokens"},
        ),
        ("this model does not support max_tokens", {"max_tokens": "max_completion_tokens"}),
        ("Unknown field maxTokens, did you mean max_output_tokens?", {"max_tokens": "max_output_tokens"}),
        (
            "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) value is "
            "supported.",
            {"temperature": ""},
        ),
        ("invalid temperature: only 0.6 is allowed for this model", {"temperature": ""}),
        ("`temperature` may only be set to 1 when thinking is enabled.", {"temperature": ""}),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", {"top_p": ""}),
        ("temperature and top_p are not supported", {"temperature": "", "top_p": ""}),
        ("Top p must be 1 when using greedy sampling.", {"top_p": ""}),
        ("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled", {"top_p": ""}),
        ("body.seed: Extra inputs are not permitted", {"seed": ""}),
        ("property 'seed' is unsupported", {"seed": ""}),
        ('Invalid JSON payload received. Unknown name "seed": Cannot find field.', {"seed": ""}),
        ("Unrecognized request argument supplied: seed", {"seed": ""}),
        ("extraneous key [seed] is not permitted", {"seed": ""}),
        ("<code>seed</code> is not a valid field", {"seed": ""}),
        ("unknown field seed; use random_seed instead", {"seed": "random_seed"}),
        ("参数 temperature 无效，该模型只能使用默认值", {"temperature": ""}),
    ],
)
def test_a_refused_parameter_is_sent_otherwise_from_then_on(message: str, names: dict[str, str]) -> None:
    assert learned(SCHEMA, Refusal(message)) == names


@pytest.mark.parametrize(
    "message",
    [
        "the prompt is too long for the context",
        "max_tokens is too large: 32000. This model supports at most 16384 completion tokens",
        "temperature must be between 0 and 1",
        "Invalid 'max_tokens': 32000 > 16384",
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (7000 in the messages, "
        "2000 in max_tokens).",
        "Could not finish the message because max_tokens or model output limit was reached.",
        "the seeds of a sunflower are not supported by its stem",
        "请求的内容超出了允许的范围",
    ],
)
def test_nothing_is_learned_from_another_complaint(message: str) -> None:
    assert learned(SCHEMA, Refusal(message)) is None


def test_a_limit_that_is_refused_under_both_names_is_not_left_out() -> None:
    form = Form(names=(("max_tokens", "max_completion_tokens"),))
    assert learned(form, Refusal("unknown field max_completion_tokens")) is None


def test_what_is_known_by_another_name_is_looked_for_by_it() -> None:
    form = Form(names=(("seed", "random_seed"),))
    assert learned(form, Refusal("random_seed is not supported")) == {"seed": ""}
    assert learned(form, Refusal("seed is not supported")) is None


def test_the_named_field_of_an_error_counts_before_its_words() -> None:
    body = b'{"error": {"message": "top_p and temperature: unsupported value", "param": "temperature", "code": "x"}}'
    assert learned(SCHEMA, error_of(body)) == {"temperature": ""}


def test_a_list_of_faults_is_read_by_place_and_message() -> None:
    body = b'{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": {"top_p": 1}}]}'
    assert error_of(body).message == "body.seed: Extra inputs are not permitted"
    assert learned(SCHEMA, error_of(body)) == {"seed": ""}


def test_a_refused_schema_that_has_a_field_of_that_name_is_a_matter_of_the_schema() -> None:
    refusal = Refusal("Invalid schema for response_format 'garden': 'minLength' of seed is not permitted")
    after = SCHEMA.after(refusal, FIELDS, structured=True)
    assert after == Form(Structure.JSON_OBJECT)
    assert str(after) == "in JSON mode"


def test_a_question_without_a_schema_has_no_other_structure() -> None:
    assert SCHEMA.after(Refusal("response_format is not supported"), FIELDS, structured=False) is None


def test_complaints_of_other_sizes_are_one_and_those_of_the_context_none() -> None:
    first, other = (Refusal(f"max_tokens is too large: {size}").complaint(FIELDS) for size in (32000, 64000))
    assert first == other != ""
    assert Refusal("maximum context length is 8192, max_tokens 2048").complaint(FIELDS) == ""
    assert Refusal("this input is not allowed").complaint(FIELDS) == ""
