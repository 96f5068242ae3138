from persona_assets.settings import Settings
from persona_assets.settings_page import PAGE, settings_page


def test_the_page_is_as_the_settings_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), "run `python -m persona_assets.settings_page`"


def test_every_setting_has_a_line_with_whose_rows_it_shapes() -> None:
    lines = [line for line in settings_page().splitlines() if line.startswith("| `PERSONA_")]
    assert len(lines) == len(Settings.model_fields)
    assert "| `PERSONA_HOPS` | `2` | Persona-to-persona hops (the paper: six) | `expanded_personas` |  |" in lines
    assert next(line for line in lines if "_MAX_REJECT_RATE" in line).endswith(
        "|  | `raw_documents`, `filtered_personas`, `poles`, `demonstrations`, `worlds`, `skills`, `self_themes`, "
        "`casts`, `recipes`, `benchmark_files`, `external_files`, `seed_files`, `question_files`, `interview_logs`, "
        "`probe_limits`, `questionnaire_files`, `situation_files`, `survey_files`, every asset that asks a model |"
    )
