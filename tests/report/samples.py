"""One page with every kind of block on it."""

from __future__ import annotations

from thrifty.report import Bullets, Chart, Code, Column, Facts, Note, Number, Page, Roof, Section, Source, Table, Text

NAME = Column(key="name", title="Name")
TIME = Column(key="time_s", title="Time", unit="s", truth="modelled")
ENERGY = Column(key="energy_j", title="Energy", unit="J", truth="modelled")
GROUP = Column(key="group", title="Group")


def bars(**changes: object) -> Chart:
    given: dict[str, object] = {
        "kind": "bars", "title": "Time by class", "columns": (NAME, GROUP, TIME), "x": "time_s", "y": "name",
        "rows": [("linear", "a", 0.81), ("linear", "b", 0.79), ("norm", "a", 0.11), ("norm", "b", 0.12)],
        "alt": "Bars of the time by class; linear layers take 0.81 seconds, norms 0.11.",
    }  # fmt: skip
    return Chart(**(given | changes))  # type: ignore[arg-type]


def scatter(**changes: object) -> Chart:
    given: dict[str, object] = {
        "kind": "scatter", "title": "Time against energy", "columns": (NAME, GROUP, TIME, ENERGY, Column(key="front", title="Unbeaten")),
        "x": "time_s", "y": "energy_j", "label": "name", "front": "front", "x_log": True, "y_log": True,
        "rows": [("slow <&> cheap", "cpu", 1.3, 2.0, True), ("fast", "gpu", 0.004, 61.0, True), ("neither", "gpu", 1.5, 70.0, False)],
        "alt": "Scatter of time against energy on three devices; two of them are beaten by none.",
    }  # fmt: skip
    return Chart(**(given | changes))  # type: ignore[arg-type]


def timeline(**changes: object) -> Chart:
    given: dict[str, object] = {
        "kind": "timeline", "title": "One step", "x": "start", "y": "stream", "low": "start", "high": "end", "series": "kind",
        "columns": (Column(key="stream", title="Stream"), Column(key="start", title="From", unit="s", truth="modelled"),
                    Column(key="end", title="To", unit="s", truth="modelled"), Column(key="kind", title="Work")),
        "rows": [("compute", 0.0, 0.004, "gemm"), ("network", 0.004, 0.007, "all_reduce"), ("compute", 0.004, 0.006, "attention"),
                 ("compute", 0.006, 0.010, "gemm")],
        "alt": "Timeline of a step: the network works for three of its ten milliseconds, behind computing.",
    }  # fmt: skip
    return Chart(**(given | changes))  # type: ignore[arg-type]


def all_charts() -> dict[str, Chart]:
    """A chart of every kind and of every variant of it that draws other marks."""
    intensity = Column(key="i", title="Intensity", unit="FLOP/B", truth="modelled")
    flops = (NAME, intensity, Column(key="f", title="Attained", unit="FLOP/s", truth="measured"))
    sweep = (Column(key="batch", title="Batch", truth="given"), GROUP, TIME)
    ranged = (NAME, *(Column(key=end, title=end, unit="gCO2e", truth="modelled") for end in ("low", "mid", "high")))
    sites = [("france", 0.002, 0.004, 0.011), ("poland", 0.02, 0.034, 0.06)]
    alt = "A drawing of made-up numbers that grow from the left to the right, for the tests."
    return {
        "bars": bars(),
        "grouped": bars(series="group", strong=("linear",)),
        "stacked": bars(kind="stacked bars", series="group"),
        "ranged": Chart(kind="bars", title="Ranges", columns=ranged, rows=sites, x="mid", y="name", low="low", high="high", alt=alt),
        "dots": Chart(kind="bars", title="Dots", columns=ranged, rows=sites, x="mid", y="name", low="low", high="high", x_log=True, alt=alt),
        "scatter": scatter(series="group", strong=("fast",)),
        "plain scatter": scatter(front="", x_log=False, y_log=False),
        "line": Chart(kind="line", title="Sweep", columns=sweep, x="batch", y="time_s", series="group", x_log=True, alt=alt,
                      rows=[(b, g, b * w) for g, w in (("a", 0.1), ("b", 0.11)) for b in (1, 2, 4, 8)]),
        "one line": Chart(kind="line", title="Sweep of one", columns=sweep, x="batch", y="time_s", alt=alt,
                          rows=[(b, "", b * b) for b in range(1, 40)]),
        "roofline": Chart(kind="roofline", title="Roofline", columns=flops, x="i", y="f", label="name", alt=alt,
                          rows=[("attention", 41, 7e10), ("norm", 0.2, 6e8)],
                          roofs=(Roof("FP32", 1.4e11, 2.1e10), Roof("BF16", 3.1e11, 2.1e10)), roofs_truth="measured"),
        "timeline": timeline(),
        "heat map": Chart(kind="heat map", title="Steps", columns=(GROUP, NAME, TIME), x="group", y="name", colour="time_s", alt=alt,
                          rows=[(str(b), str(s), b * s / 100) for b in (1, 2, 4) for s in (128, 512)]),
    }  # fmt: skip


def whole_page() -> Page:
    rent = Number(value=3.9, unit="USD/hour", truth="literature", source="rent-2026")
    pue = Number(value=1.1, truth="literature")
    table = Table(
        columns=(NAME, TIME, Column(key="usd", title="Rent", unit="USD/hour", truth="literature"), Column(key="fits", title="Fits")),
        rows=[("here", 1.31, None, True), ("<b>there</b>", 0.0041, rent, False)],
        caption="Elsewhere", strong_rows=(0,),
    )  # fmt: skip
    return Page(
        title="A model <here>",
        summary="It takes **1.31 s**, and `int8` would help *most*.",
        headline={
            "Decode": Number(value=48.7, unit="tokens/s", truth="measured"),
            "Carbon": Number(value=0.021, unit="gCO2e", low=0.008, high=0.06, truth="modelled", model="grid and die, error 30 %"),
        },
        inputs={"Format": "bf16", "Seed": Number(value=0, truth="given", style="integer")},
        sources=(Source(key="rent-2026", title="Price list", publisher="A cloud", date="2026", url="https://example.org/prices", licence="CC0"),),
        generated="2026-11-24 by thrifty",
        command="thrifty assess",
        sections=(
            Section("What ran", (Text("A *paragraph*."), Code("thrifty <x>", "Type"), Bullets(("one", "two"), ordered=True), Bullets(("a",)))),
            Section("Elsewhere", (table, Note("Energy is modelled."), Note("No price.", "warning"), Facts({"PUE": pue}))),
            Section("Charts", tuple(all_charts().values())),
        ),
    )
