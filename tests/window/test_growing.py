"""Arrays that grow keep their values, and are not copied."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.window.growing import MAPPED, as_type, resized, zeros

LENGTHS = st.integers(0, 3 * MAPPED)
_GROWN = """
import resource
import numpy as np
from monitor.runtime.heap import keep_heap, share_heap
from monitor.window.growing import as_type, resized, zeros

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

share_heap(), keep_heap()  # as the daemon does
behind, most = [], 0
for size, dtype in ((1, np.uint8), (2, np.uint16), (4, np.uint32), (8, np.uint64)):
    array = resized(resized(zeros(0, np.uint8), 1_000), 1_000_000)
    array = as_type(array, dtype)
    for _ in range(4):
        behind.append(np.ones(100_000))  # in the heap, so that nothing there can grow in place
        before = faults()
        array = resized(array, len(array) + 8_192)
        most = max(most, faults() - before - 2 * size)
        array[:] = 1
    behind.append(array)
print(most)
"""


@given(lengths=st.lists(LENGTHS, min_size=1, max_size=5), dtype=st.sampled_from([np.uint8, np.int16, np.int64]))
def test_what_was_in_an_array_stays_and_what_is_new_is_zero(lengths: list[int], dtype: type) -> None:
    array = zeros(lengths[0], dtype)
    assert not array.any()
    expected = np.zeros(lengths[0], dtype)
    for number, length in enumerate(lengths[1:], 1):
        array[:] = expected[:] = np.arange(len(array)) + number
        array = resized(array, length)
        expected = np.concatenate([expected[:length], np.zeros(max(length - len(expected), 0), dtype)])
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("length", [0, 1_000, 700_000])
def test_another_type_has_the_same_values(length: int) -> None:
    array = zeros(length, np.uint8)
    array[:] = np.arange(length) % 256
    wider = as_type(array, np.int32)
    assert wider.dtype == np.int32
    np.testing.assert_array_equal(wider, array)
    np.testing.assert_array_equal(resized(wider, length + 10)[:length], array)


@pytest.mark.skipif(sys.platform != "linux", reason="what other systems do when memory grows is theirs")
def test_a_large_array_is_not_copied_when_it_grows() -> None:
    done = subprocess.run([sys.executable, "-c", _GROWN], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 16, (
        "pages that the system had to give besides those of the new elements; a copy takes 250 or more"
    )
