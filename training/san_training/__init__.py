"""Training of Sparsely Activated Networks: torch models, data, fits, integer kernels."""

from importlib.util import find_spec

from san_stream.errors import MissingExtraError

if missing := [name for name in ("torch", "numba", "safetensors") if find_spec(name) is None]:
    raise MissingExtraError(missing[0], "train", "training")

from san_training.activations import ACTIVATIONS, activate
from san_training.batched_fit import Job, fit_batched
from san_training.bonn import EpilepsyTable, epilepsy_splits, read_bonn
from san_training.checkpoints import load_network, save_network
from san_training.compiled_fit import fit_compiled
from san_training.data import Recording, read_recording
from san_training.datasets import Labelled, Splits
from san_training.fitting import Epoch, FitResult, FitSettings, fit
from san_training.images import read_fashion_mnist, read_mnist
from san_training.init import INITS
from san_training.losses import LOSSES, reconstruction_loss
from san_training.many_fits import fit_all
from san_training.model import Reconstruction, SAN1d, SAN2d
from san_training.paper import PaperResult, run_paper_protocol
from san_training.physionet import database_windows, find_record
from san_training.quality import ModelQuality
from san_training.quantising import QuantisationReport, quantise
from san_training.train import TrainSettings, train_model

__all__ = [
    "ACTIVATIONS",
    "INITS",
    "LOSSES",
    "EpilepsyTable",
    "Epoch",
    "FitResult",
    "FitSettings",
    "Job",
    "Labelled",
    "ModelQuality",
    "PaperResult",
    "QuantisationReport",
    "Reconstruction",
    "Recording",
    "SAN1d",
    "SAN2d",
    "Splits",
    "TrainSettings",
    "activate",
    "database_windows",
    "epilepsy_splits",
    "find_record",
    "fit",
    "fit_all",
    "fit_batched",
    "fit_compiled",
    "load_network",
    "quantise",
    "read_bonn",
    "read_fashion_mnist",
    "read_mnist",
    "read_recording",
    "reconstruction_loss",
    "run_paper_protocol",
    "save_network",
    "train_model",
]
