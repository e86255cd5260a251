"""Encoded polylines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.polyline import decode, encode

points = st.lists(st.tuples(st.floats(-90, 90), st.floats(-180, 180)), max_size=30)


def test_known_line() -> None:
    """The example of the published format: three points in California and Nevada."""
    line = [(38.5, -120.2), (40.7, -120.95), (43.252, -126.453)]
    assert encode(line) == "_p~iF~ps|U_ulLnnqC_mqNvxq`@"
    assert decode("_p~iF~ps|U_ulLnnqC_mqNvxq`@") == line


@given(points)
def test_decoding_gives_back_five_decimals(line: list[tuple[float, float]]) -> None:
    """Encoding loses at most half of the fifth decimal of each coordinate."""
    back = decode(encode(line))
    assert len(back) == len(line)
    for (a, b), (c, d) in zip(line, back, strict=True):
        assert abs(a - c) <= 0.51e-5
        assert abs(b - d) <= 0.51e-5


@pytest.mark.parametrize("text", ["_p~iF", "_p~iF~ps|", "é"])
def test_broken_text_is_refused(text: str) -> None:
    """Half a point, half a number and foreign characters raise."""
    with pytest.raises(ValueError, match="polyline"):
        decode(text)
