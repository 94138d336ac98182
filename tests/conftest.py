"""Before NumPy is loaded: one thread for each process, as the tests run side by side already.

Threads of one small product that wait for a processor take many times as long as one alone.
"""

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
