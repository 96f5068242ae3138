import json
from pathlib import Path

from rich.console import Console

from persona_assets.crawl.inspect import EXAMPLES, blocks, inspect_files
from persona_assets.settings import Settings
from persona_assets.view.terminal import show
from persona_assets_tests.crawl.conftest import EN, WarcMaker, english


def _file(tmp_path: Path) -> Path:
    maker = WarcMaker(gz=True).other("warcinfo")
    for number in range(6):
        maker.conversion(f"http://{number}.example/[bold]", english(number))
        maker.conversion(f"http://{number}.example/s", f"short {number}")
    path = tmp_path / "crawl.wet"
    path.write_bytes(maker.bytes)
    return path


def test_a_report_counts_every_record_and_shows_examples(tmp_path: Path) -> None:
    report = inspect_files([_file(tmp_path)], Settings()).files[0]
    assert (report.format, report.compression, report.documents, report.skipped) == ("wet", "gz", 6, {"warcinfo": 1})
    assert (report.languages, report.rejects, report.records) == ({"en": 6}, {"too_short": 6}, 13)
    assert len(report.examples["too_short"]) == EXAMPLES
    assert report.examples["too_short"][0]["offset"] > 0
    assert report.samples[0]["text"] == english(0)[:80].strip()


def test_the_report_is_json(tmp_path: Path) -> None:
    values = json.loads(json.dumps(inspect_files([_file(tmp_path), tmp_path / "gone"], Settings()).as_dict()))
    assert values["documents"] == 6
    assert values["rejects"] == {"too_short": 6, "file_missing": 1}


def test_text_of_a_file_is_never_markup_or_terminal_control(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[31m.jsonl"
    path.write_text(json.dumps({"text": "[red]\x1b]0;x\x07 " + EN, "url": "[/]"}))
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as capture:
        show(console, *blocks(inspect_files([path], Settings())))
    shown = capture.get()
    assert "[red]" in shown and "[/]" in shown
    assert "\x1b]0;" not in shown and "\x1b[31m" not in shown


def test_progress_reaches_the_size_of_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path)
    seen: list[tuple[int, int]] = []
    inspect_files([path], Settings(), lambda _, done, size: seen.append((done, size)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
