"""What comes next in a series of numbers: sunspots, counted since 1700, and a generated chaotic series.

A window of the past goes in, the next value comes out (many to one). The hard thing to beat is persistence: tomorrow
as today. The sunspot net learns from the first four fifths of the years and is asked about the last fifth, a year
ahead. The Mackey-Glass series follows a delay equation, a model of blood cells,

    dx/dt = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x(t)

and is taken every 6 units of time. Its net also runs free: it reads what it has said itself, until chaos parts the
two.

References: Mackey and Glass 1977, doi:10.1126/science.267326; sunspots: SIDC, Brussels, as statsmodels has them.

A year ahead the sunspots are told with an error of 18.7, by last year's number with 33.3; Mackey-Glass with 0.0219 of
its spread, by the last value with 0.8228. It takes 8 s.

Run it: python examples/15_time_series.py [--short] [--out FOLDER] [--seed N]
"""

import numpy as np
from panels import curves
from story import Story, needs

import tinygraph as tg
from tinygraph import models

BATCH, FREE = 64, 60


def sunspots() -> np.ndarray:
    """The mean number of sunspots of each year, 1700 to 2008."""
    data = needs("statsmodels.datasets.sunspots", "statsmodels").load_pandas().data
    return data["SUNACTIVITY"].to_numpy()


def mackey_glass(count: int, rng: np.random.Generator, *, every: float = 6, step: float = 0.1) -> np.ndarray:
    """`count` values, one `every` so many units of time, by Euler steps, after 500 units to settle."""
    delay, skip, stride = round(17 / step), round(500 / step), round(every / step)
    x = list(1.2 + 0.1 * rng.standard_normal(delay + 1))
    for _ in range(skip + count * stride):
        late = x[-1 - delay]
        x.append(x[-1] + step * (0.2 * late / (1 + late**10) - 0.1 * x[-1]))
    return np.array(x[-count * stride :: stride])


def windows(series: np.ndarray, width: int) -> dict[str, np.ndarray]:
    """Every window of the series and what follows it: "x" (width, B, 1) and "y" (1, B, 1) the change to the next."""
    every = np.lib.stride_tricks.sliding_window_view(series, width + 1).T[:, :, None]
    return {"x": every[:-1], "y": every[-1:] - every[-2:-1]}


def train(net: models.Mapped, feeds: dict[str, np.ndarray], updates: int, seed: int) -> models.Learner:
    learner = models.Learner(net.initial(seed), rate=0.005, schedule="linear", updates=updates)
    learner.fit(net.loss, feeds, updates=updates, batch=BATCH, seed=seed)
    return learner


def ahead(learner: models.Learner, net: models.Mapped, x: np.ndarray) -> np.ndarray:
    """The next value (B,) after each window x (width, B, 1): the last one and the change that the net says."""
    return x[-1, :, 0] + learner.run(net.outputs[1], {"x": x})[:, 0]


def run_free(learner: models.Learner, net: models.Mapped, start: np.ndarray, count: int) -> np.ndarray:
    """`count` values after the window `start` (width,), each from the values before it, its own included."""
    series = list(start)
    for _ in range(count):
        series.append(float(ahead(learner, net, np.array(series[-len(start) :])[:, None, None])[0]))
    return np.array(series[len(start) :])


def error(a: np.ndarray, b: np.ndarray) -> float:
    """The root of the mean square difference."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def tell_sunspots(story: Story) -> None:
    width, scale, counted = 24, 100, sunspots()
    first = len(counted) * 4 // 5  # of the years that are only asked about
    net = models.forecaster(tg.unroll(models.gru, width, I=1, H=8))
    learner = train(net, windows(counted[:first] / scale, width), story.either(400, 5), story.seed)
    x = windows(counted[first - width :] / scale, width)["x"]
    said, true = scale * ahead(learner, net, x), counted[first:]
    story.score(
        "sunspots, error a year ahead",
        error(said, true),
        error(counted[first - 1 : -1], true),
        trivial="as last year",
        goal="< baseline",
        form=".1f",
    )
    years = 1700 + np.arange(first, len(counted))
    chart = curves({"counted": (years, true), "said a year before": (years, said)}, title="Sunspots", x="year", y="")
    story.picture(chart, "sunspots.svg")


def tell_mackey_glass(story: Story) -> None:
    width, series = 16, mackey_glass(story.either(3000, 300), np.random.default_rng(story.seed))
    first = len(series) * 4 // 5
    net = models.forecaster(tg.unroll(models.gru, width, I=1, H=32))
    learner = train(net, windows(series[:first], width), story.either(3000, 5), story.seed)
    test = windows(series[first - width :], width)
    spread = series.std()
    story.score(
        "Mackey-Glass, error 6 ahead over the spread",
        error(ahead(learner, net, test["x"]), series[first:]) / spread,
        error(series[first - 1 : -1], series[first:]) / spread,
        trivial="as now",
        form=".4f",
    )
    count = story.either(FREE, 5)
    said, places = run_free(learner, net, series[first - width : first], count), 6 * np.arange(1, count + 1)
    lines = {"true": (places, series[first : first + count]), "running free": (places, said)}
    story.picture(curves(lines, title="Mackey-Glass", x="time after the last true value", y="x"), "mackey-glass.svg")


def main() -> None:
    story = Story(__doc__)
    tell_sunspots(story)
    tell_mackey_glass(story)


if __name__ == "__main__":
    main()
