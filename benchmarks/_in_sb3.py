"""Stable-Baselines3's DQN on the environment, in an interpreter of its own; prints steps per CPU second as JSON."""

from __future__ import annotations

import json
import os
import sys
from time import process_time

# Behind its own packages: hindscale and what it needs.
sys.path += os.environ["HINDSCALE_PATHS"].split(os.pathsep)

import torch
from stable_baselines3 import DQN

from hindscale.training.environment import AutoscalingEnv

WARM_UP = 1_000


def main() -> None:
    torch.set_num_threads(1)
    steps = int(sys.argv[1])
    model = DQN(
        "MlpPolicy", AutoscalingEnv(), learning_rate=1e-3, buffer_size=102_400, learning_starts=500, batch_size=64,
        gamma=0.95, train_freq=4, gradient_steps=1, target_update_interval=1000, seed=0,
        policy_kwargs={"net_arch": [64, 64]},
    )  # fmt: skip
    model.learn(WARM_UP)
    begin = process_time()
    model.learn(steps, reset_num_timesteps=False)
    print(json.dumps(steps / (process_time() - begin)))


if __name__ == "__main__":
    main()
