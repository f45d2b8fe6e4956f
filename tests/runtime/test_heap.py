"""One heap for all threads, and one that is kept, in processes of their own: a setting lasts as long as a process does."""

import subprocess
import sys
from ctypes.util import find_library

import pytest

_THREAD = """
import ctypes, threading
from monitor.runtime.heap import share_heap
if {shared}:
    assert share_heap()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_size_t
found = []
thread = threading.Thread(target=lambda: found.extend(malloc(1000) for _ in range(100)))
thread.start()
thread.join()
(heap,) = [line.split()[0].split("-") for line in open("/proc/self/maps") if line.rstrip().endswith("[heap]")]
print(all(int(heap[0], 16) <= at < int(heap[1], 16) for at in found))
"""

glibc = pytest.mark.skipif(
    sys.platform != "linux" or "libc.so.6" not in (find_library("c") or ""), reason="it is a setting of glibc"
)


@glibc
@pytest.mark.parametrize("shared", [False, True])
def test_a_thread_takes_its_memory_from_the_heap_of_all_once_it_is_shared(shared: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _THREAD.format(shared=shared)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(shared)


_PAGES = """
import resource
from monitor.runtime.heap import keep_heap
if {kept}:
    assert keep_heap()

def page():
    return [b"x" * 1_000_000 for _ in range(3)]  # as packed, unpacked in blocks, and put together

for _ in range(3):
    page()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    page()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@glibc
def test_the_memory_of_a_page_serves_the_next_one_once_the_heap_is_kept() -> None:
    kept, usual = (
        int(subprocess.check_output([sys.executable, "-c", _PAGES.format(kept=kept)], text=True))
        for kept in (True, False)
    )
    assert kept < 200 < usual // 10
