"""Settings of all tests."""

import os

# Before numpy and torch are imported, here and in the processes that tests start. Models and tables
# are tiny: a second thread would only wait for work in a busy loop, beside other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
