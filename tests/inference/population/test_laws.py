"""Laws: Gaussian number and value lead into each other, slopes are derivatives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vein2vein.inference.population.laws import LAWS, slope, to_gaussian, to_natural


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=20)
@given(st.floats(-4, 4), st.floats(-3, 3), st.floats(0.1, 9))
def test_there_and_back(law, x, low, wide):
    value = to_natural(law, x, low, low + wide)
    assert to_gaussian(law, value, low, low + wide) == pytest.approx(x, abs=1e-6)
    by = 1e-5
    steep = (to_natural(law, x + by, low, low + wide) - to_natural(law, x - by, low, low + wide)) / (2 * by)
    assert slope(law, x, low, low + wide) == pytest.approx(steep, rel=1e-5, abs=1e-9)


def test_known_values():
    assert to_natural("lognormal", np.log(3.0)) == pytest.approx(3.0)
    assert to_natural("logitnormal", 0.0, 2.0, 4.0) == pytest.approx(3.0)
    assert to_natural("probitnormal", 1.959963984540054) == pytest.approx(0.975)
    assert to_natural("normal", -2.0) == -2.0
    assert np.isinf(to_gaussian("lognormal", 0.0)) and np.isnan(to_gaussian("lognormal", -1.0))
    assert not np.isfinite(to_gaussian("logitnormal", 4.0, 2.0, 4.0))
