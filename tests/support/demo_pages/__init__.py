"""A room with small made-up pages that hold every widget."""

import numpy as np

from anomvae import pages

NAMES = ("Scene", "cloud", "annulus", "name")
HOSTILE = (
    "</script><img src=x onerror=alert(1)>\"'&",
    "\u202egnp.exe\u2069",
    "🛰️ 観測 العربية",
    "x" * 10_000,
)
ROWS, COLUMNS, HALF = 120, 160, 2
BOXES = ((20, 30, 26, 37), (70, 100, 76, 104), (90, 20, 91, 21))
THRESHOLD = 10.0


def scores():
    """Scores of a land with three objects, and a corner without data."""
    made = np.random.default_rng(0).gamma(2, 1.2, (ROWS, COLUMNS))
    for at, (top, left, bottom, right) in enumerate(BOXES):
        made[top:bottom, left:right] = 40 * (at + 1) + np.arange(right - left)
    made[:15, 130:] = np.nan
    return made


def scene():
    """A picture of a land."""
    row, col = np.mgrid[:ROWS, :COLUMNS]
    red = 90 + 50 * np.sin(row / 17) * np.cos(col / 23)
    image = np.stack([red, red * 0.9 + 30, 140 - 0.5 * red], axis=-1)
    return (image + np.random.default_rng(1).normal(0, 6, image.shape)).clip(0, 255).astype("u1")


def flags(of):
    """Flags of scores, with a mask over a field."""
    made = np.where(np.isnan(of), 255, of > THRESHOLD).astype("u1")
    made[100:115, 60:90] = 254
    return made


def halved(of):
    """The largest score of each 2 x 2 pixels."""
    return np.nanmax(of.reshape(ROWS // HALF, HALF, COLUMNS // HALF, HALF), axis=(1, 3))


def outline(top, left, bottom, right):
    return ((top, left), (top, right), (bottom, right), (bottom, left))


def map_of(names):
    """A map with every kind of layer."""
    of = scores()
    mask = np.zeros((ROWS, COLUMNS), "u1")
    mask[100:115, 60:90] = 1
    return pages.Viewer(
        ROWS,
        COLUMNS,
        (
            pages.ImageLayer(names[0], pages.picture(scene())),
            pages.score_layer("Score", of),
            pages.class_layer("Flags", flags(of), pages.flag_classes(), follows="Score"),
            pages.class_layer(
                "Masks", mask, (pages.Class(1, names[1], "#96aac8"), pages.Class(0, "clear", None))
            ),
        ),
        "Map of the scene",
        tuple(pages.MapObject(str(n), (outline(*box),), str(n)) for n, box in enumerate(BOXES, 1)),
        (3.5, 0.0, 500_000.0, 0.0, -3.5, 3_600_000.0),
        "EPSG:32611",
        THRESHOLD,
        unit="m",
    )


def histogram():
    of = scores()
    known = of[np.isfinite(of)]
    edges = np.expm1(np.linspace(0, np.log1p(known.max()), 513))
    counts = np.histogram(known, edges)[0]
    return pages.Histogram("Pixels by score", edges, counts, THRESHOLD, int((flags(of) == 1).sum()))


def spectra(names):
    waves = np.linspace(400, 2500, 60)
    waves = waves[(waves < 1350) | (waves > 1480)]
    line = 0.2 + 0.1 * np.sin(waves / 300)
    hole = np.where(abs(waves - 1900) < 60, np.nan, line * 0.92)
    shares = np.exp(-(((waves - 850) / 90) ** 2))
    return pages.Spectra(
        names[0],
        (
            pages.Line("object", waves, line),
            pages.Line("reconstruction", waves, hole, dashed=True),
            pages.Line(
                names[2], waves, line * 0.7, low=line * 0.6, high=np.where(waves > 0, line * 0.8, 0)
            ),
        ),
        pages.Axis("wavelength", "nm"),
        pages.Axis("reflectance"),
        shares / shares.sum(),
    )


def roc():
    rate = np.geomspace(1e-4, 1, 80)
    return pages.LineChart(
        "ROC",
        (
            pages.Line("vae", rate, rate**0.1, low=rate**0.13, high=rate**0.08),
            pages.Line("rx", rate, rate**0.3, dashed=True),
        ),
        pages.Axis("false-positive rate", log=True, low=1e-4, high=1),
        pages.Axis("true-positive rate", low=0, high=1),
        diagonal=True,
        marks=(pages.Mark(0.01, "threshold"),),
    )


def timeline(names):
    kinds = ["normal", "normal", "anomalous", "not comparable", "normal", "failed"] * 10
    days = np.arange("2024-01-01", "2024-10-27", 5, dtype="datetime64[D]").astype(str).tolist()[:60]
    shares = [None if kind == "failed" else 0.1 + (i * 7 % 11) / 50 for i, kind in enumerate(kinds)]
    return pages.Timeline(
        "Flagged share",
        (pages.Dated(names[2], days, shares, kinds, ["#run"] * 60, [names[0]] * 60),),
        pages.Axis("flagged", "%", low=0),
        (
            pages.Event(names[0], "2024-02-01", "2024-03-10", "closed"),
            pages.Event("fire", "2024-02-20", "2024-07-10", "provisional"),
            pages.Event("slick", "2024-08-01", None, "confirmed", "#event"),
        ),
        (pages.Mark(0.28, "limit"),),
    )


def objects(names):
    kinds = ["roof", "boat", names[0]]
    rows = [[n, kinds[n % 3], 100.0 / n if n % 9 else None, names[n % 4]] for n in range(1, 121)]
    return pages.Table(
        "Objects",
        (
            pages.Column("id", "ID", "number"),
            pages.Column("kind", "Kind", choices=True),
            pages.Column("score", "Mean score", "number", "nats"),
            pages.Column("name", names[1]),
        ),
        rows,
        [str(row[0]) for row in rows],
        "score",
        descending=True,
        total=2_000_000,
    )


def runs(names):
    states = "normal", "anomalous", "not comparable"
    rows = [[f"2024-01-{n:02}", ["run", "#run"], states[n % 3]] for n in range(1, 29)]
    rows.append(["2024-02-01", [names[0], "javascript:alert(1)"], "failed"])
    columns = (
        pages.Column("date", "Date", "date"),
        pages.Column("run", "Run", "link"),
        pages.Column("outcome", "Outcome", "state", choices=True),
    )
    return pages.Table("Runs", columns, rows, page=10)


def page(names=NAMES, widgets=None):
    """A page with every widget, or others in their places, and names that may be hostile."""
    all_ = {
        "map": map_of(names),
        "scores": histogram(),
        "objects": objects(names),
        "spectrum-1": spectra(names),
        "spectrum-2": spectra(names),
        "roc": roc(),
        "timeline": timeline(names),
        "runs": runs(names),
    }
    values = {"names": names, "share": 0.0012, "pixels": 19_200, "none": None}
    return pages.Page(f"Demo: {names[0]}", __name__, "demo.html", values, all_ | (widgets or {}))


def written(folder, names=NAMES, widgets=None):
    """Write such a page, and return its path."""
    path = folder / "page.html"
    path.write_bytes(pages.render(page(names, widgets)))
    return path
