"""Trains the small model of test_loop.py in the processes of `torchrun`, first well, then badly."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist
from test_loop import Curves, Small, fit_loss

from meshlearn.train import NonFiniteLoss, Stage, train

if __name__ == "__main__":
    out, rank = Path(sys.argv[1]), os.environ["RANK"]
    good = Stage(fit_loss, Curves(), steps=8, batch=4, lr=0.01)
    result = train(Small(), good, folder=out, seed=5)  # makes the group of processes and ends it
    weights = [p.detach().double().sum().item() for p in result.model.parameters()]
    (out / f"curve_{rank}.json").write_text(json.dumps([result.history["loss"], weights]))
    meet = f"file://{out / 'meet'}"
    dist.init_process_group("gloo", init_method=meet, world_size=2, rank=int(rank))
    try:
        train(Small(), Stage(fit_loss, Curves(bad=3), steps=8, batch=2), seed=5)
    except NonFiniteLoss as error:
        (out / f"error_{rank}.txt").write_text(str(error))
    finally:
        dist.destroy_process_group()  # threads of it that outlive Python end the process badly
