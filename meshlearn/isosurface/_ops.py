"""The native extraction operators: their outputs by name, fake implementations and gradients.

An operator hands out a list of tensors. It is named here once, by a NamedTuple in the order of the
C++ struct that fills it; callers and gradients use the names.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import once
from meshlearn._native import HAS_NATIVE
from meshlearn._zeros import zeros_lazily

_NONE = (None,) * 8


class MarchingCubesTensors(NamedTuple):
    """Outputs of the operator `marching_cubes`, in the order of csrc/drivers/marching_cubes.h."""

    vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3) int64
    edge_bits: Tensor  # int64, crossed edges of each word of a row, kept for the backward pass
    edge_start: Tensor  # int32, crossed edges before each word, kept for the backward pass


class FlexiCubesTensors(NamedTuple):
    """Outputs of the operator `flexicubes`, in the order of csrc/drivers/flexicubes.h.

    A surface cell is one of A cells that the surface passes through, a dual vertex one of D
    patches, a quad one of Q interior crossed edges; V is D, or D + Q in training. What follows
    `deviation` up to `quad_cell` is there for the backward pass.
    """

    vertices: Tensor  # (V, 3) dual vertices, then centres of quads
    faces: Tensor  # (F, 3) int64
    deviation: Tensor  # (D,) of the distances from a dual vertex to its crossings (F8)
    cell: Tensor  # (A,) int64 number in the grid of each surface cell
    entry: Tensor  # (A,) int32 row of the case table, ambiguity resolved
    dual_start: Tensor  # (A + 1,) int32 dual vertices before each surface cell
    cell_bits: Tensor  # int64, surface cells of each word of a row of cells
    cell_start: Tensor  # int32, surface cells before each word
    edge_bits: Tensor  # int64, interior crossed edges of each word
    edge_start: Tensor  # int32, such edges before each word
    corner_bits: Tensor  # int64, corners of surface cells of each word
    corner_start: Tensor  # int32, such corners before each word
    position: Tensor  # (P, 3) displaced corners of surface cells, (0, 3) without displacement
    cell_alpha: Tensor  # (A, 8) weights, (0, 8) without
    cell_beta: Tensor  # (A, 12) weights, (0, 12) without
    cell_gamma: Tensor  # (A,) weights
    quads: Tensor  # (Q, 4) int32 dual vertices
    quad_cell: Tensor  # (Q, 4) int32 surface cells
    msdf: Tensor  # (V,) msdf carried to the vertices, (0,) without one
    msdf_weighted: Tensor  # the same values, whose gradients reach the msdf only


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::marching_cubes")
    def _(sdf, deform, table, resolution, bounds, bits=None, start=None):
        ctx = torch.library.get_ctx()
        rx, ry, rz = resolution
        words = (rx + 1) * (ry + 1) * ((rz + 64) // 64) * 3
        vertices = sdf.new_empty(ctx.new_dynamic_size(), 3)
        faces = sdf.new_empty(ctx.new_dynamic_size(), 3, dtype=torch.int64)
        edge_bits = sdf.new_empty(words, dtype=torch.int64)
        edge_start = sdf.new_empty(words + 1, dtype=torch.int32)
        return tuple(MarchingCubesTensors(vertices, faces, edge_bits, edge_start))

    @torch.library.register_fake("meshlearn::marching_cubes_backward")
    def _(*_args):
        return None

    def _marching_cubes_setup(ctx, inputs, output) -> None:
        sdf, deform, _, ctx.resolution, ctx.bounds, *sparse = inputs
        ctx.set_materialize_grads(False)
        made = MarchingCubesTensors(*output)
        ctx.save_for_backward(sdf, deform, made.edge_bits, made.edge_start, *sparse)

    @once("marching_cubes")
    def _marching_cubes_backward(ctx, grad_vertices, _faces, _bits, _start):
        sdf, deform, bits, start, *sparse = ctx.saved_tensors
        grad_sdf = zeros_lazily(sdf, tuple(sdf.shape))
        wants = ctx.needs_input_grad[1]
        grad_deform = zeros_lazily(sdf, tuple(deform.shape)) if wants else None
        if grad_vertices is not None:
            torch.ops.meshlearn.marching_cubes_backward(
                grad_vertices.contiguous(),
                sdf,
                deform,
                bits,
                start,
                ctx.resolution,
                ctx.bounds,
                grad_sdf,
                grad_deform,
                *sparse,
            )
        return (grad_sdf, grad_deform, *_NONE[:5])[: len(ctx.needs_input_grad)]

    torch.library.register_autograd(
        "meshlearn::marching_cubes", _marching_cubes_backward, setup_context=_marching_cubes_setup
    )

    @torch.library.register_fake("meshlearn::flexicubes")
    def _(
        sdf, deform, alpha, beta, gamma, table, resolution, bounds, training, msdf=None,
        sparse_bits=None, sparse_start=None,
    ):  # fmt: skip
        ctx = torch.library.get_ctx()
        rx, ry, rz = resolution
        words = (rz + 64) // 64
        cell_words, corner_words = rx * ry * words, (rx + 1) * (ry + 1) * words
        cells, duals, quads = (ctx.new_dynamic_size() for _ in range(3))
        corners = ctx.new_dynamic_size() if deform is not None else 0

        def new(*shape, dtype=sdf.dtype):
            return sdf.new_empty(shape, dtype=dtype)

        def bits(n):
            return new(n, dtype=torch.int64)

        def start(n):
            return new(n + 1, dtype=torch.int32)

        vertices = duals + quads if training else duals
        values = 0 if msdf is None else vertices
        made = FlexiCubesTensors(
            vertices=new(vertices, 3),
            faces=new((4 if training else 2) * quads, 3, dtype=torch.int64),
            deviation=new(duals),
            cell=new(cells, dtype=torch.int64),
            entry=new(cells, dtype=torch.int32),
            dual_start=start(cells),
            cell_bits=bits(cell_words),
            cell_start=start(cell_words),
            edge_bits=bits(3 * corner_words),
            edge_start=start(3 * corner_words),
            corner_bits=bits(corner_words),
            corner_start=start(corner_words),
            position=new(corners, 3),
            cell_alpha=new(cells if alpha is not None else 0, 8),
            cell_beta=new(cells if beta is not None else 0, 12),
            cell_gamma=new(cells),
            quads=new(quads, 4, dtype=torch.int32),
            quad_cell=new(quads, 4, dtype=torch.int32),
            msdf=new(values),
            msdf_weighted=new(values),
        )
        return list(made)

    @torch.library.register_fake("meshlearn::flexicubes_backward")
    def _(*_args):
        return None

    def _flexicubes_setup(ctx, inputs, output) -> None:
        sdf, deform, alpha, beta, gamma, table, *shape, msdf, bits, start = inputs
        ctx.resolution, ctx.bounds, ctx.training = shape
        ctx.set_materialize_grads(False)
        ctx.shapes = [None if t is None else tuple(t.shape) for t in (alpha, beta, gamma)]
        ctx.save_for_backward(sdf, deform, msdf, bits, start, table, *FlexiCubesTensors(*output))

    @once("flexicubes and dual_marching_cubes")
    def _flexicubes_backward(ctx, grads):
        sdf, deform, msdf, bits, start, table, *saved = ctx.saved_tensors
        made, grad = FlexiCubesTensors(*saved), FlexiCubesTensors(*grads)
        given = [None if t is None else tuple(t.shape) for t in (sdf, deform, msdf)]
        shapes = [*given[:2], *ctx.shapes, given[2]]
        count = len(ctx.needs_input_grad)  # arguments left at their default are not counted
        wanted = [*ctx.needs_input_grad[:5], count > 9 and ctx.needs_input_grad[9]]
        *found, grad_msdf = [
            zeros_lazily(sdf, shape) if wants and shape is not None else None
            for wants, shape in zip(wanted, shapes, strict=True)
        ]
        grad = grad._replace(
            vertices=torch.zeros_like(made.vertices) if grad.vertices is None else grad.vertices,
            deviation=torch.zeros_like(made.deviation)
            if grad.deviation is None
            else grad.deviation,
        )
        torch.ops.meshlearn.flexicubes_backward(
            grad.vertices.contiguous(),
            grad.deviation.contiguous(),
            sdf,
            deform,
            table,
            list(made),
            ctx.resolution,
            ctx.bounds,
            ctx.training,
            *found,
            msdf,
            None if grad.msdf is None else grad.msdf.contiguous(),
            None if grad.msdf_weighted is None else grad.msdf_weighted.contiguous(),
            grad_msdf,
            bits,
            start,
        )
        return (*found, *_NONE[:4], grad_msdf, None, None)[:count]

    torch.library.register_autograd(
        "meshlearn::flexicubes", _flexicubes_backward, setup_context=_flexicubes_setup
    )
