"""The page: its parts in order, every number tagged, small, and true to the assessment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thrifty.assessment import Assessment
from thrifty.assessment.page import page_of
from thrifty.assessment.result import bound_changes
from thrifty.assessment.sections import closeness, roofline, sizes, spending
from thrifty.assessment.sections.words import ends, in_one_unit
from thrifty.assessment.side_by_side import ClassError
from thrifty.footprint import Interval
from thrifty.hardware import host
from thrifty.report import Bullets, Chart, Code, Facts, Note, Number, Page, Roof, Section, Table, Text, to_html, to_json

MOST_BYTES = 1_500_000


def part(page: Page, anchor: str) -> Section:
    return next(section for section in page.sections if section.anchor == anchor)


def blocks(page: Page, anchor: str, kind: type) -> list:  # type: ignore[type-arg]
    return [block for block in part(page, anchor).blocks if isinstance(block, kind)]


def test_the_order_is_from_the_answer_to_its_ground(priced_page: Page, ran_page: Page) -> None:
    seen = ["what-dominates", "how-far-do-results-drift", "who-emits-what-and-when"]
    tail = ["time", "memory", "roofline", *seen, "limit", "elsewhere", "sizes", "help", "ground"]
    assert [section.anchor for section in priced_page.sections] == ["ran", *tail]
    assert [section.anchor for section in ran_page.sections] == ["ran", "measured-beside-modelled", *tail]


def test_the_headline_shows_measured_beside_modelled(ran: Assessment, ran_page: Page) -> None:
    writing = ran_page.headline["Writing"]
    assert isinstance(writing, Number)
    assert ran.measured is not None
    assert writing.value is not None
    assert (writing.truth, writing.value * (1e3 if writing.unit == "ktoken/s" else 1)) == ("measured", ran.measured["decode_tokens_per_s"])
    assert writing.model.startswith("model: ")
    carbon = ran_page.headline["Carbon a token"]
    assert isinstance(carbon, Number)
    assert carbon.truth == "modelled"
    assert carbon.low is not None
    assert carbon.high is not None
    assert carbon.low < carbon.high


def test_a_page_of_another_device_says_why_nothing_ran(priced_page: Page) -> None:
    assert priced_page.title == "little on h100-sxm5 and 1 more"
    (note,) = blocks(priced_page, "ran", Note)
    assert note.text == "h100-sxm5 is not this machine: every number below is modelled. Leave out --on to run it here."
    assert all(number.truth != "measured" for number in priced_page.numbers())
    assert "measured" not in {column.truth for block in priced_page.blocks() if isinstance(block, (Table, Chart)) for column in block.columns}


def test_what_it_said_is_on_the_page(ran: Assessment, ran_page: Page) -> None:
    (code,) = blocks(ran_page, "ran", Code)
    assert ran.measured is not None
    assert code.text == ran.measured["text"]
    assert code.caption == "Greedy answers to the fixed prompts, at most 8 tokens an answer"


def test_measured_and_modelled_stand_side_by_side(ran: Assessment, ran_page: Page) -> None:
    whole, prefill, decode = blocks(ran_page, "measured-beside-modelled", Table)
    assert [row[0] for row in whole.rows] == ["Reading the prompt", "Writing", "First token", "Peak memory"]
    for table, step in ((prefill, "prefill"), (decode, "decode")):
        rows = [row for row in ran.classes if row.step == step]
        assert [row[0] for row in table.rows] == [row.kind for row in rows]
        assert list(table.values("error")) == [row.error for row in rows]
        assert table.strong_rows == [len(rows) - 1]
        assert table.columns[1].unit == table.columns[2].unit


@pytest.mark.parametrize(
    ("measured", "modelled", "message"),
    [
        ((0.9, 0.1), (0.91, 0.5), "Every operator class of more than 10 % of a step is within 25 % of its measurement."),
        ((0.8, 0.2), (0.81, 0.1), "1 of 2 cases of an operator class of more than 10 % of a step missed by more than 25 %: norm in decode (−50 %). A busy "
                                  "machine makes measurements slower than the calibration that the model reads; run it again when nothing else runs."),
    ],
)  # fmt: skip
def test_misses_are_named(ran: Assessment, measured: tuple[float, float], modelled: tuple[float, float], message: str) -> None:
    rows = [ClassError(step="decode", kind=kind, measured_s=s, modelled_s=m) for kind, s, m in zip(("linear", "norm"), measured, modelled, strict=True)]
    total = ClassError(step="decode", kind="total", measured_s=1.0, modelled_s=sum(modelled))
    section = closeness.section(replace(ran, classes=(*rows, total)))
    assert section is not None
    verdict = section.blocks[-2]
    assert isinstance(verdict, (Text, Note))
    assert verdict.text == message


def test_the_validation_of_this_very_calibration_stands_in_the_report(ran: Assessment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    section = closeness.section(ran)
    assert section is not None
    assert section.blocks[-1] == Text(
        "How far off this calibration is on other workloads nobody has asked on this machine yet: `thrifty validate host` (a minute or two)."
    )
    assert ran.case.device.calibration is not None
    row = {"workload": "w", "measured_s": 1.0, "modelled_s": 1.1, "time_error": 0.1, "measured_bytes": 100, "modelled_bytes": 101, "memory_error": 0.01}
    found = {"calibrated_at": ran.case.device.calibration.content["made_at"], "rows": [row], "median_time_error": 0.1, "p90_time_error": 0.1,
             "median_memory_error": 0.01}  # fmt: skip
    path = tmp_path / "validation.json"
    monkeypatch.setattr(host, "validation_path", lambda: path)
    path.write_text(json.dumps(found))
    section = closeness.section(ran)
    assert section is not None
    table = section.blocks[-1]
    assert isinstance(table, Table)
    assert list(table.rows) == [["w", 1.0, 1.1, 0.1, 100, 0.01]]
    assert table.caption.startswith("The same calibration on 1 workloads that it never saw: time off by 10 % (median)")
    path.write_text(json.dumps(found | {"calibrated_at": "another time"}))
    section = closeness.section(ran)
    assert section is not None
    assert isinstance(section.blocks[-1], Text)


def test_a_restless_calibration_is_told(ran: Assessment) -> None:
    device = ran.case.device
    assert device.calibration is not None
    spread = {"median": 0.1, "p90": 0.31}
    busy = replace(device, calibration=replace(device.calibration, content={**device.calibration.content, "spread": spread}))
    section = closeness.section(replace(ran, cases=(replace(ran.case, device=busy),)))
    assert section is not None
    assert section.blocks[-2] == Note(
        "This machine was busy while it was calibrated: a tenth of the measurements spread by more than 31 %. "
        "Calibrate again when nothing else runs: `thrifty hardware calibrate --force`.", "warning",
    )  # fmt: skip


def test_bars_hold_the_whole_step(ran: Assessment, ran_page: Page) -> None:
    assert ran.run is not None
    for chart, profile in zip(blocks(ran_page, "time", Chart), ran.run.profiles, strict=True):
        seen = [cell.value for who, _, cell in chart.rows if who == "measured here"]
        assert sum(seen) == pytest.approx(sum(profile.by_kind().values()))
        assert {row[0] for row in chart.rows} == {"measured here", "modelled"}
        assert chart.grounds == ("measured", "modelled")


def test_a_page_without_a_run_has_a_bar_a_device(priced_page: Page, priced: Assessment) -> None:
    (chart,) = blocks(priced_page, "time", Chart)
    assert list(dict.fromkeys(row[0] for row in chart.rows)) == ["h100-sxm5", "t4"]
    assert sum(cell.value for who, _, cell in chart.rows if who == "t4") == pytest.approx(priced.cases[1].priced[0].time_s)


def test_memory_by_role_adds_up(ran: Assessment, ran_page: Page) -> None:
    (chart,) = blocks(ran_page, "memory", Chart)
    for priced in ran.case.priced:
        held = sum(row[2] for row in chart.rows if row[0] == priced.workload.phase)
        assert held == priced.memory.peak_memory_bytes
    (facts,) = blocks(ran_page, "memory", Facts)
    assert ran.run is not None
    assert facts.items["Whole process (RSS)"] == Number(value=float(ran.run.memory.rss_bytes), unit="B", truth="measured")


def test_the_roofline_is_of_the_device(priced: Assessment, priced_page: Page) -> None:
    (chart,) = blocks(priced_page, "roofline", Chart)
    device = priced.case.device
    assert [(roof.name, roof.peak, roof.slope) for roof in chart.roofs] == [
        ("matrix units, bf16", device.peak("bf16"), device.bandwidth_bytes_per_s), ("vector units", device.vector_flops, device.bandwidth_bytes_per_s),
    ]  # fmt: skip
    for name, _, intensity, attained in chart.rows:
        assert attained.value <= min(device.peak("bf16"), intensity * device.bandwidth_bytes_per_s), name


def test_the_front_includes_the_devices_that_were_asked_for(priced: Assessment, priced_page: Page) -> None:
    (chart,) = blocks(priced_page, "elsewhere", Chart)
    (table,) = blocks(priced_page, "elsewhere", Table)
    assert len(table.rows) == len(priced.elsewhere)
    assert {table.rows[index][0] for index in table.strong_rows} == {"h100-sxm5", "t4"}
    assert chart.strong == ["h100-sxm5", "t4"]
    front = {row[0] for row in chart.rows if row[3]}
    assert front == {case.device.name for case, kept in zip(priced.elsewhere, priced.front(), strict=True) if kept}
    assert table.caption == f"One sample on {len(table.rows)} devices, at {priced.case.site.title}, in bf16; it fits on all of them; rent is of a million"


def test_this_machine_stands_among_the_others(ran: Assessment, ran_page: Page) -> None:
    (table,) = blocks(ran_page, "elsewhere", Table)
    assert "this machine" in [row[0] for row in table.rows]
    assert "in bf16; this machine in fp32" in table.caption


def test_other_sizes_say_where_the_bound_changes(priced: Assessment, priced_page: Page) -> None:
    (chart,) = blocks(priced_page, "sizes", Chart)
    assert priced.swept is not None
    assert len(chart.rows) == len(priced.swept.memory_bytes_P)
    (text,) = blocks(priced_page, "sizes", Text)
    lead = "Times on h100-sxm5 by the roofline of its data sheet, with default efficiencies, from exact counts at every size."
    assert text.text.startswith(lead)
    changes = [line for block in blocks(priced_page, "sizes", Bullets) for line in block.items]
    assert len(changes) == len(bound_changes(priced.swept))
    assert changes or text.text == f"{lead} At all sizes along the edges it is bound by **{priced.case.bound}**."


def test_a_change_of_bound_is_one_sentence(priced: Assessment) -> None:
    assert priced.swept is not None
    bounds = np.where(priced.swept.points["seq"] >= 512, 0, 2)
    moved = replace(priced.swept, bound_DP=np.stack([bounds, bounds]))
    section = sizes.section(replace(priced, swept=moved))
    assert section is not None
    assert section.blocks[-1] == Bullets(["Forward is bound by **overhead** up to seq 256, by **compute** from 512 on (at batch 1)."])


def test_what_would_help_is_ranked_with_its_caveats_and_commands(priced: Assessment, priced_page: Page) -> None:
    (table,) = blocks(priced_page, "help", Table)
    assert [(row[0], row[1]) for row in table.rows] == [(e.lever, e.change) for e in priced.estimates]
    assert list(table.values("time")) == [e.factor("time") for e in priced.estimates]
    (code,) = blocks(priced_page, "help", Code)
    assert code.text.splitlines() == [e.command for e in priced.estimates]
    bullets = [line for block in blocks(priced_page, "help", Bullets) for line in block.items]
    assert "**batch**: needs as many requests at once." in bullets
    assert [line for line in bullets if "offers nothing" in line] == [f"**{r.lever}** offers nothing: {r.reason}." for r in priced.refusals]


def test_the_ground_names_models_and_errors(priced_page: Page) -> None:
    (facts,) = blocks(priced_page, "ground", Facts)
    assert "median" in facts.items["Error of the energy model"]
    grid = next(value for name, value in facts.items.items() if name.startswith("Grid of France"))
    assert isinstance(grid, Number)
    assert grid.truth == "literature"
    assert grid.source in {source.key for source in priced_page.sources}
    (making,) = blocks(priced_page, "ground", Table)
    low, mid, high = (making.values(key) for key in ("low", "mid", "high"))
    for column in (low, mid, high):
        assert column[-1] == pytest.approx(sum(float(cell) for cell in column[:-1]))  # type: ignore[arg-type]


def test_inputs_let_a_reader_make_the_page_again(ran_page: Page, priced_page: Page) -> None:
    assert priced_page.command == "thrifty assess little --on h100-sxm5 --on t4 --site france"
    assert ran_page.inputs["Calibrated"] == "2026-11-24T12:00:00+00:00"
    assert ran_page.inputs["Calibration took"] == Number(value=31.5, unit="s", truth="measured")
    assert ran_page.inputs["Spread of its measurements"] == "median 2.0%, 90th percentile 8.0%"
    assert ran_page.inputs["Machine"] == "cpu Toy, threads 2"
    assert "Calibrated" not in priced_page.inputs


def test_what_fits_nowhere_is_said(priced: Assessment) -> None:
    def crowded(case):  # type: ignore[no-untyped-def]
        memory = (replace(case.device.memory[0], capacity_bytes=1.0), *case.device.memory[1:])
        return replace(case, device=replace(case.device, memory=memory))

    page = page_of(replace(priced, cases=tuple(map(crowded, priced.cases)), elsewhere=tuple(map(crowded, priced.elsewhere)), estimates=()))
    assert "It **does not fit**: it needs " in page.summary
    assert blocks(page, "elsewhere", Note)[0].kind == "warning"
    assert not blocks(page, "elsewhere", Chart)
    assert blocks(page, "help", Note)[0].text == "No lever has anything to offer for this case."


def test_a_workload_at_one_point_has_no_other_sizes(priced: Assessment) -> None:
    assert "sizes" not in [section.anchor for section in page_of(replace(priced, swept=None)).sections]


def test_the_ends_of_an_interval_stay_together() -> None:
    assert ends(Interval(1.83e-4, 1.99e-4, 2.26e-4), 1e-6) == "183\u00a0to\u00a0226"
    assert ends(Interval(0.0, 1.0, 2500.0), 1.0) == "0\u00a0to\u00a02,500"


def test_columns_read_across_share_a_unit() -> None:
    assert in_one_unit([["a", 0.265, 0.004], ["b", None, 2e-6]], (1, 2), "s") == ([["a", 265.0, 4.0], ["b", None, pytest.approx(0.002)]], "ms")
    assert in_one_unit([], (1,), "s") == ([], "s")


@pytest.mark.parametrize(
    ("attained", "words"),
    [
        ((50.0, 5.0), "nearest to its roof is linear in decode, at 50 % of what the device's peaks allow"),
        ((50.0, 20.0), "nearest to its roof is linear in decode, at 50 % of what the device's peaks allow; beyond the slope, fed by caches: norm in decode"),
        ((500.0, 20.0), "beyond the slope, fed by caches: linear in decode and norm in decode"),
    ],
)
def test_formula_nearness_to_the_roof(attained: tuple[float, float], words: str) -> None:
    rows = [[kind, "decode", intensity, Number(value=rate, unit="FLOP/s", truth="measured")]
            for kind, intensity, rate in zip(("linear", "norm"), (100.0, 1.0), attained, strict=True)]  # fmt: skip
    assert roofline._nearest(rows, Roof("matrix", 100.0, 10.0)) == words  # type: ignore[arg-type]


def test_steps_that_do_not_close_are_told(ran: Assessment) -> None:
    assert ran.run is not None
    for closure, told in ((1.02, False), (0.7, True), (-3.0, True)):
        profiles = tuple(replace(profile, closure=closure) for profile in ran.run.profiles)
        last = spending.section(replace(ran, run=replace(ran.run, profiles=profiles))).blocks[-1]
        assert isinstance(last, Note) is told
        if told:
            assert last == Note(
                "The sampled steps of prefill and decode do not close within 10 %: what instruments add was estimated badly, or the machine was busy. "
                "Shares by class are still those of the steps that were sampled."
            )  # fmt: skip


def test_pages_are_small_and_whole(ran_page: Page, priced_page: Page, own: Assessment) -> None:
    for page in (ran_page, priced_page, page_of(own)):
        html = to_html(page)
        assert len(html.encode()) < MOST_BYTES / 3
        assert "<script" not in html
        assert html.count("<svg") == sum(isinstance(block, Chart) for block in page.blocks())
        assert to_json(page)["schema"] == "thrifty.page/1"
