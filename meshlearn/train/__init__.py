"""Training on data sets: one loop for every model."""

from meshlearn.run_folder import NonFiniteLoss
from meshlearn.train.checkpoint import load_weights
from meshlearn.train.loop import TrainResult, train
from meshlearn.train.stage import Hooks, Stage

__all__ = ["Hooks", "NonFiniteLoss", "Stage", "TrainResult", "load_weights", "train"]
