"""distilabel: a pipeline of LoadDataFromDicts and TextGeneration with OpenAILLM, one batch in flight at a time.
Given a schema it is asked for its JSON mode, which checks none: that is less work than its peers and we do.

python distilabel.py URL PROMPTS.json OUT.json IN_FLIGHT text|schema
"""

import json
import sys
import time
from pathlib import Path

# This file's folder is first on the path, and its name is the package's.
sys.path.pop(0)

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration


def main(url: str, source: str, out: str, in_flight: str, form: str) -> None:
    rows = json.loads(Path(source).read_text())
    data = [{"number": row["number"], "system_prompt": row["system"], "instruction": row["user"]} for row in rows]
    json_mode = {"response_format": {"type": "json_object"}} if form == "schema" else {}
    with Pipeline(name="engines") as pipeline:
        load = LoadDataFromDicts(data=data, batch_size=int(in_flight))
        llm = OpenAILLM(
            model="m",
            base_url=url,
            api_key="none",
            generation_kwargs={"temperature": 0.7, "max_new_tokens": 2048} | json_mode,
        )
        generate = TextGeneration(llm=llm, input_batch_size=int(in_flight), add_raw_output=False)
        load >> generate
    began = time.monotonic()
    answers = pipeline.run()["default"]["train"]
    seconds = time.monotonic() - began
    pairs = list(zip(answers["number"], answers["generation"], strict=True))
    Path(out).write_text(json.dumps({"seconds": seconds, "answers": pairs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
