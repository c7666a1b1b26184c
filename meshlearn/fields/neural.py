"""What every neural field has in common: latent codes, configuration, linear layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from meshlearn._segment import Incidence, gather
from meshlearn._validate import check_tensor

_TINY = 1e-15
ARCHITECTURES: dict[str, type[NeuralField]] = {}


class NonFiniteField(ValueError):
    """A field gave NaN or infinite values; the message names the tensor that they come from."""


class Later(NamedTuple):
    """A field that is evaluated when it is known where, as a function of its tensors."""

    tensors: list[Tensor]  # weights that take gradients, and the code behind them
    # points (n, 3), tensors as above, rows (n,) of all points or None for all: values and slopes
    evaluate: Callable[[Tensor, Sequence[Tensor], Tensor | None], tuple[Tensor, Tensor]]


class NeuralField(nn.Module):
    """A field as a module: points, and where there is a latent code that too, to values.

    ``field(points, latent=None, index=None)``:

    - points: (N, 3), of the module's dtype and device.
    - latent: None for a field without one (`latent_size` 0); else (L,) one code for all points,
      (N, L) a code for each point, or (B, L) codes with `index` (N,) int64 in [0, B), which says
      whose point each is. The last is the quick way for several shapes at once: what a layer makes
      of a code is computed once for each code, not for each point.
    - returns (N,), negative inside.

    Subclasses implement `evaluate` on `Latent`, and are registered by their name, under which
    checkpoints (`meshlearn.fields.save_field`) know them.
    """

    latent_size: int = 0
    architecture: ClassVar[str] = ""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self._config = config

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.architecture = cls.__name__
        ARCHITECTURES[cls.__name__] = cls

    @property
    def config(self) -> dict[str, Any]:
        """The options that make a network of this shape: ``type(field)(**field.config)``."""
        return dict(self._config)

    def forward(
        self, points: Tensor, latent: Tensor | None = None, index: Tensor | None = None
    ) -> Tensor:
        check_tensor(points, "points", shape=("N", 3))
        return self.evaluate(points, Latent.of(self.latent_size, points, latent, index))

    def evaluate(self, points: Tensor, latent: Latent) -> Tensor:
        raise NotImplementedError

    def values_and_slopes(
        self, points: Tensor, latent: Tensor | None = None, index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Values, and their slopes in space as constants: what a level set's gradient needs.

        Args:
            points: (N, 3), taken detached: no gradient reaches them.
            latent, index: as for a call.

        Returns:
            values (N,), with the graph of weights and codes, and slopes (N, 3), d value / d point,
            without one.

        Raises:
            ValueError: as a call.
        """
        with torch.enable_grad():
            at = points.detach().requires_grad_()
            values = self(at, latent, index)
            (slopes,) = torch.autograd.grad(values.sum(), at, retain_graph=True)
        return values, slopes

    def later(self, latent: Tensor | None = None, index: Tensor | None = None) -> Later:
        """`values_and_slopes` for when it is known at which points they are wanted.

        Args:
            latent: one code (L,), or (B, L) with `index` (N,).
        """
        named = [(k, p) for k, p in self.named_parameters() if p.requires_grad]
        names = [f"field.{k}" for k, _ in named]
        tensors = [p for _, p in named] + ([] if latent is None else [latent])
        module = _ValuesAndSlopes(self)

        def evaluate(
            points: Tensor, given: Sequence[Tensor], rows: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            more = () if latent is None else (given[-1],)
            if index is not None:
                more = (*more, index if rows is None else index[rows])
            weights = dict(zip(names, given[: len(names)], strict=True))
            return torch.func.functional_call(module, weights, (points, *more))

        return Later(tensors, evaluate)

    def lipschitz_bound(self) -> float:
        """A number that the field's slope in space never exceeds, from the weights alone.

        The product of spectral norms holds everywhere and for every code, and is far above what is
        met in practice; see `lipschitz_estimate` for that.
        """
        raise NotImplementedError


class _ValuesAndSlopes(nn.Module):
    """Those of a field as a module's call."""

    def __init__(self, field: NeuralField) -> None:
        super().__init__()
        self.field = field

    def forward(self, points: Tensor, *more: Tensor) -> tuple[Tensor, Tensor]:
        return self.field.values_and_slopes(points, *more)


class Latent:
    """Codes as the rows of a matrix, and which row belongs to each point."""

    def __init__(self, codes: Tensor | None, incidence: Incidence | None) -> None:
        self.codes, self.incidence = codes, incidence

    @classmethod
    def of(cls, size: int, points: Tensor, latent: Tensor | None, index: Tensor | None) -> Latent:
        """Checked; see `NeuralField`."""
        if size == 0:
            if latent is not None:
                raise ValueError("latent: expected None, this field has no latent code; leave out")
            return cls(None, None)
        if latent is None:
            raise ValueError(f"latent: expected a code of {size} numbers, got None; give latent=")
        many = isinstance(latent, Tensor) and latent.dim() == 2
        rows: str | int = "B" if index is not None else points.shape[0]
        check_tensor(latent, "latent", shape=(rows, size) if many else (size,))
        if index is None:
            return cls(latent if many else latent[None], None)
        if not many:
            raise ValueError(f"latent: expected shape (B, {size}) with index, got ({size},)")
        check_tensor(index, "index", shape=(points.shape[0],), dtype=torch.int64)
        if index.numel() and (int(index.min()) < 0 or int(index.max()) >= len(latent)):
            raise ValueError(
                f"index: expected rows in [0, {len(latent)}) of latent, got {int(index.min())} to "
                f"{int(index.max())}"
            )
        return cls(latent, Incidence(index, len(latent)))

    def linear(self, weight: Tensor, bias: Tensor | None) -> Tensor:
        """codes @ weight.T + bias, a row for all points (1, H) or one a point (N, H)."""
        assert self.codes is not None
        found = nn.functional.linear(self.codes, weight, bias)
        return found if self.incidence is None else gather(found, self.incidence)


class WeightNormLinear(nn.Module):
    """A linear layer with rows of length `length` along `direction`.

    Args:
        inputs, outputs: numbers of features.
        norm: False keeps a plain weight (`length` is None).

    Source: Salimans and Kingma, "Weight Normalization" (2016).
    """

    def __init__(self, inputs: int, outputs: int, *, norm: bool = True) -> None:
        super().__init__()
        plain = nn.Linear(inputs, outputs)
        self.direction = nn.Parameter(plain.weight.detach())
        self.length = nn.Parameter(self.direction.detach().norm(dim=1)) if norm else None
        self.bias = nn.Parameter(plain.bias.detach())

    @property
    def weight(self) -> Tensor:
        """(outputs, inputs); entries below 1e-15 are 0.

        Training leaves entries of units that died near the smallest float. Their products are
        denormal numbers, with which a backward pass takes several times as long.
        """
        weight = self.direction
        if self.length is not None:
            size = weight.norm(dim=1).clamp(min=1e-12)
            weight = weight * (self.length / size)[:, None]
        return torch.where(weight.abs() < _TINY, 0, weight)

    @torch.no_grad()
    def set_weight(self, weight: Tensor, bias: Tensor) -> None:
        """Starts from a plain weight (outputs, inputs) and bias (outputs,)."""
        self.direction.copy_(weight)
        self.bias.copy_(bias)
        if self.length is not None:
            self.length.copy_(weight.norm(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


def affine(x: Tensor, weight: Tensor, added: Tensor) -> Tensor:
    """x @ weight.T + added, with `added` (1, H), (H,) or (N, H), in one pass over memory."""
    return torch.addmm(added, x, weight.T)


def spectral_norm(weight: Tensor) -> float:
    """The largest factor by which a matrix stretches."""
    if weight.numel() == 0:
        return 0.0
    return float(torch.linalg.matrix_norm(weight.detach().double(), 2))


def find_nonfinite(field: object, latent: Tensor | None = None) -> str:
    """Says where NaN come from: the first parameter or buffer with one, the code, or the output.

    A function that is no module may have its own as an attribute `network`, and `latent`.
    """
    latent = getattr(field, "latent", None) if latent is None else latent
    field = getattr(field, "network", field)
    if isinstance(field, nn.Module):
        for kind, tensors in (
            ("parameter", field.named_parameters()),
            ("buffer", field.named_buffers()),
        ):
            for name, value in tensors:
                if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                    return f"the {kind} {name!r} of {type(field).__name__}"
    if latent is not None and not bool(torch.isfinite(latent).all()):
        return "the latent code"
    return "the output, all parameters are finite"


def check_output(
    values: Tensor, count: int, field: object, *, where: str, latent: Tensor | None = None
) -> Tensor:
    """`values` as (count,), if they are finite.

    Raises:
        NonFiniteField: NaN or infinite; names the tensor.
        ValueError: no tensor of `count` numbers.
    """
    if not isinstance(values, Tensor) or values.numel() != count:
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"field: expected ({count},) values for ({count}, 3) points, got {got}")
    values = values.reshape(-1)
    total = values.detach().sum()
    if count and not bool(torch.isfinite(total)):
        bad = int((~torch.isfinite(values.detach())).sum())
        if bad:
            raise NonFiniteField(
                f"field: {bad} of {count} values {where} are NaN or infinite; the first tensor "
                f"with one is {find_nonfinite(field, latent)}; lower the learning rate"
            )
    return values
