"""Trains the small BSP-Net of test_bspnet.py in the processes of `torchrun`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from test_bspnet import OPTIONS, shapes, small

from meshlearn.train.bspnet import train_bspnet

if __name__ == "__main__":
    out = Path(sys.argv[1])
    result = train_bspnet(shapes(), small(), folder=out, **{**OPTIONS, "batch": 2})
    (out / f"curve_{os.environ['RANK']}.json").write_text(json.dumps(result.history["loss"]))
