"""bespokelabs-curator: an LLM class over a list of rows, the online processor with its limits out of the way.

python curator.py URL PROMPTS.json OUT.json IN_FLIGHT text|schema
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

import litellm
import tiktoken
from pydantic import BaseModel, Field

# Its tokeniser would be fetched; the same file comes with litellm.
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(litellm.__file__).parent / "litellm_core_utils/tokenizers")
tiktoken.get_encoding("cl100k_base")

from bespokelabs import curator  # noqa: E402

UNLIMITED = 10_000_000


class Personas(BaseModel):
    class Persona(BaseModel):
        relation: Literal["read", "write", "like", "dislike"]
        persona: str = Field(min_length=1)

    personas: list[Persona] = Field(min_length=1)


class Extract(curator.LLM):
    def prompt(self, row: dict[str, Any]) -> list[dict[str, str]]:
        return [{"role": "system", "content": row["system"]}, {"role": "user", "content": row["user"]}]

    def parse(self, row: dict[str, Any], response: str | Personas) -> dict[str, Any]:
        answer = response if isinstance(response, str) else response.model_dump_json()
        return {"number": row["number"], "answer": answer}


def main(url: str, source: str, out: str, in_flight: str, form: str) -> None:
    rows = json.loads(Path(source).read_text())
    limits = {
        "base_url": url,
        "max_concurrent_requests": int(in_flight),
        "max_requests_per_minute": UNLIMITED,
        "max_tokens_per_minute": 10_000 * UNLIMITED,
    }
    model = Personas if form == "schema" else None
    llm = Extract(model_name="m", backend="openai", backend_params=limits, response_format=model)
    began = time.monotonic()
    answers = llm(rows).dataset
    seconds = time.monotonic() - began
    pairs = list(zip(answers["number"], answers["answer"], strict=True))
    Path(out).write_text(json.dumps({"seconds": seconds, "answers": pairs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
