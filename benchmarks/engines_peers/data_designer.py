"""NeMo Data Designer: a seed data set and one text column per row.

python data_designer.py URL PROMPTS.json OUT.json IN_FLIGHT text|schema
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

# This file's folder is first on the path, and its name is the package's.
sys.path.pop(0)

import data_designer.config as dd
import pandas as pd
from data_designer.interface import DataDesigner
from pydantic import BaseModel, Field


class Personas(BaseModel):
    class Persona(BaseModel):
        relation: Literal["read", "write", "like", "dislike"]
        persona: str = Field(min_length=1)

    personas: list[Persona] = Field(min_length=1)


def main(url: str, source: str, out: str, in_flight: str, form: str) -> None:
    rows = pd.DataFrame(json.loads(Path(source).read_text()))
    designer = DataDesigner(
        artifact_path=tempfile.mkdtemp(),
        model_providers=[dd.ModelProvider(name="local", endpoint=url, provider_type="openai", api_key="none")],
    )
    # More rows and row groups under way than requests, so that requests are all that bounds it.
    designer.set_run_config(
        dd.RunConfig(buffer_size=max(1000, 4 * int(in_flight)), max_in_flight_tasks=4 * int(in_flight))
    )
    inference = dd.ChatCompletionInferenceParams(max_parallel_requests=int(in_flight), temperature=0.7, max_tokens=2048)
    builder = dd.DataDesignerConfigBuilder(
        model_configs=[dd.ModelConfig(alias="m", model="m", provider="local", inference_parameters=inference)]
    )
    builder.with_seed_dataset(dd.DataFrameSeedSource(df=rows))
    column = {"name": "answer", "model_alias": "m", "prompt": "{{ user }}", "system_prompt": "{{ system }}"}
    if form == "schema":
        builder.add_column(dd.LLMStructuredColumnConfig(**column, output_format=Personas))
    else:
        builder.add_column(dd.LLMTextColumnConfig(**column))
    began = time.monotonic()
    results = designer.create(builder, num_records=len(rows))
    seconds = time.monotonic() - began
    answers = results.load_dataset()
    texts = [text if isinstance(text, str) else json.dumps(text, default=list) for text in answers["answer"]]
    pairs = list(zip(answers["number"].tolist(), texts, strict=True))
    Path(out).write_text(json.dumps({"seconds": seconds, "answers": pairs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
