"""The program that examines records: `python -m persona_assets.crawl.worker`. See `workers`."""

import logging
import os
import pickle
import sys
from typing import BinaryIO

from persona_assets.crawl.examine import examine
from persona_assets.crawl.workers import SIZE_BYTES


def main() -> None:
    """Answer each message with another, until there are no more."""
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    logging.disable()
    import trafilatura  # noqa: F401 - it takes a second, which is not the first page's

    _tell(told, b"")
    while size := asked.read(SIZE_BYTES):
        records, form, settings = pickle.loads(asked.read(int.from_bytes(size, "big")))
        try:
            answer = pickle.dumps(examine(records, form, settings))
        except Exception as error:  # noqa: BLE001 - the program that asked raises it
            answer = pickle.dumps(error)
        _tell(told, answer)


def _tell(file: BinaryIO, message: bytes) -> None:
    file.write(len(message).to_bytes(SIZE_BYTES, "big") + message)
    file.flush()


if __name__ == "__main__":
    main()
