"""First-order statistics against numpy and scipy."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from radiodeep.handcrafted.kernels.first_order import first_order


@pytest.mark.parametrize("n_voxels", [3, 4, 11, 1000])
def test_statistics_are_those_of_numpy_and_scipy(n_voxels):
    values = np.sort(np.random.default_rng(n_voxels).gamma(2.0, 30.0, n_voxels))
    counts = np.bincount((values // 25).astype(int))
    counts = counts[counts > 0]
    low, high = np.percentile(values, [10, 90])
    inner = values[(values >= low) & (values <= high)]
    p = counts / n_voxels
    expected = {
        0: low,
        1: high,
        2: ((values + 7) ** 2).sum(),
        3: -(p * np.log2(p)).sum(),
        4: np.subtract(*np.percentile(values, [75, 25])),
        5: stats.kurtosis(values, fisher=False),
        7: abs(values - values.mean()).mean(),
        8: values.mean(),
        9: np.median(values),
        12: abs(inner - inner.mean()).mean(),
        13: np.sqrt(((values + 7) ** 2).mean()),
        14: stats.skew(values),
        15: 2.5 * ((values + 7) ** 2).sum(),
        16: (p**2).sum(),
        17: values.var(),
    }
    result = first_order(values, counts, 7.0, 2.5)
    np.testing.assert_allclose(result[list(expected)], list(expected.values()), rtol=1e-12, atol=1e-13)
    assert result[[6, 10, 11]].tolist() == [values[-1], values[0], values[-1] - values[0]]


def test_kernels_give_the_same_bits_whether_compiled_or_loaded(tmp_path):
    program = (
        "import numpy as np\n"
        "from radiodeep.handcrafted.kernels.first_order import first_order\n"
        "rows = np.sort(np.random.default_rng(0).normal(size=(20, 500)), axis=1)\n"
        "print([first_order(row, np.array([500]), 0.0, 1.0).tobytes().hex() for row in rows])\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    compiled, loaded = (
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True).stdout
        for _ in range(2)
    )
    assert compiled == loaded
