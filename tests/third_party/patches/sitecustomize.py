"""What a release needs besides itself to run here; on the path of a test's trainings only, and nothing of ours.

Releases up to 8.2 call `numpy.trapz`, which NumPy 2 has dropped. With ``TWO_CPUS=1``, a training on the devices 0 and 1
is one of two processes on the CPU: see `two_cpus`.
"""

import os
import sys

import numpy

if not hasattr(numpy, "trapz"):
    numpy.trapz = numpy.trapezoid

command = " ".join(sys.orig_argv[1:])
trains = not any(
    other in command for other in ("-m torch", "bin/hub-callbacks", "hub_callbacks.courier", "hub_callbacks.server")
)

if os.environ.get("TWO_CPUS") and trains:
    import two_cpus

    two_cpus.patch()
