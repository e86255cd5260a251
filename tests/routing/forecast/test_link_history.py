"""Learnt link profiles with a fading deviation beat both persistence and the bare profile on really observed speeds."""

import numpy as np
import numpy.typing as npt
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pytest

from routing.errors import InvalidInput
from routing.forecast.link_history import LinkHistory
from tests.builders.shared_data import shared


def _columns(rows: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Day type and quarter hour of every row."""
    weekday = rows.ts.dt.day_of_week.to_numpy()
    day = np.where(weekday == 5, 1, np.where(weekday == 6, 2, 0))
    return day.astype(np.int64), (rows.ts.dt.hour * 4 + rows.ts.dt.minute // 15).to_numpy(np.int64)


def test_profile_is_the_mean_shrunk_to_the_link() -> None:
    """A slot seen often has its own mean; one never seen that of its day."""
    link = np.zeros(2000, np.int64)
    slot = np.repeat([32, 33, 34, 60], 500)
    speed = np.repeat([20.0, 20.0, 20.0, 50.0], 500)
    history = LinkHistory.fit(link, np.zeros(2000, np.int64), slot, speed, 2)
    assert history.speed_kmh[0, 0, 33] == pytest.approx(20.0, abs=0.2)
    assert history.speed_kmh[0, 0, 5] == pytest.approx(27.5, abs=0.1)
    assert np.isnan(history.speed_kmh[1]).all()


def test_wrong_columns_are_refused() -> None:
    """Columns of different length and speeds that are no speeds are errors."""
    one = np.zeros(1, np.int64)
    with pytest.raises(InvalidInput, match="length"):
        LinkHistory.fit(one, one, one, np.ones(2), 1)
    with pytest.raises(InvalidInput, match="positive"):
        LinkHistory.fit(one, one, one, np.array([np.nan]), 1)


@pytest.mark.slow
@pytest.mark.parametrize("horizon_min", [30, 60])
def test_beats_persistence_on_aarhus(horizon_min: int) -> None:
    """On 60 Bluetooth segments, trained to mid May and tested on the four weeks after, weighted by vehicles."""
    table = pl.read_parquet(shared("aarhus/aarhus_obs15_train_2014-02_05.parquet"))
    rows = pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
    links = np.sort(rows.report_id.unique())[::7][:60]
    rows = rows[rows.report_id.isin(links)].sort_values(["report_id", "ts"])
    rows["link"] = np.searchsorted(links, rows.report_id)
    train, test = rows[rows.ts < "2014-05-12"], rows[rows.ts >= "2014-05-12"]
    day, slot = _columns(train)
    history = LinkHistory.fit(train.link.to_numpy(np.int64), day, slot, train.speed_kmh.to_numpy(float), len(links))
    # The last value known at the moment of forecasting: the newest row of the link not after ts - horizon.
    made = test.assign(ts=test.ts - pd.Timedelta(minutes=horizon_min), goal=test.ts, truth=test.speed_kmh, weight=test.vehicles)
    known = rows.assign(seen=rows.ts)[["link", "ts", "seen", "speed_kmh"]].sort_values("ts")
    joined = pd.merge_asof(
        made[["link", "ts", "goal", "truth", "weight"]].sort_values("ts"), known, on="ts", by="link"
    ).dropna()  # fmt: skip
    assert len(joined) > 50_000
    goal_day, goal_slot = _columns(joined[["goal"]].rename(columns={"goal": "ts"}))
    last_day, last_slot = _columns(joined[["seen"]].rename(columns={"seen": "ts"}))
    age = (joined.goal - joined.seen).dt.total_seconds().to_numpy()
    last, truth, weight = (joined[name].to_numpy(float) for name in ("speed_kmh", "truth", "weight"))
    link = joined.link.to_numpy(np.int64)
    found = history.predict(link, goal_day, goal_slot, last, last_day, last_slot, age)
    bare = history.speed_kmh[link, goal_day, goal_slot]

    def error(forecast: npt.NDArray[np.float64]) -> float:
        return float(np.average(np.abs(forecast - truth), weights=weight))

    print(f"{horizon_min} min: persistence {error(last):.3f}, profile {error(bare):.3f}, both {error(found):.3f} km/h")
    assert error(found) < 0.97 * error(last)
    assert error(found) < error(bare)
