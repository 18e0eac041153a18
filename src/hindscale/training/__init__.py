"""Reinforcement learning: the scaling problem as an environment, a DQN that learns it, and what it is worth.

| module | holds |
|---|---|
| `fluid`, `fleet` | the service as a fluid, readable, at both ends of the control loop |
| `environment` | the same for Gymnasium |
| `episodes` | traces as training sees them |
| `dqn`, `runs` | the algorithm; seeds, checkpoints, early stop |
| `calibration` | the caution that keeps the SLO |
| `action_map`, `report` | what was learned, as a picture and as a page |
| `online` | learning on while the loop runs |

The compiled modules need the extra `train`. JAX is told here, before it starts, to use one thread a call: matrices are
small, handing parts of them to other threads costs more than it saves, and the other cores have seeds of their own to
train. Flags that somebody has set are left as they are.
"""

import os

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
