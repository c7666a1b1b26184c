"""Registration of the native extraction operators: fake implementations and gradients."""

from __future__ import annotations

import torch

from meshlearn._native import HAS_NATIVE
from meshlearn._zeros import zeros_lazily

_NONE = (None,) * 8

if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::marching_cubes")
    def _(sdf, deform, table, resolution, bounds, bits=None, start=None):
        ctx = torch.library.get_ctx()
        rx, ry, rz = resolution
        words = (rx + 1) * (ry + 1) * ((rz + 64) // 64) * 3
        vertices = sdf.new_empty(ctx.new_dynamic_size(), 3)
        faces = sdf.new_empty(ctx.new_dynamic_size(), 3, dtype=torch.int64)
        bits = sdf.new_empty(words, dtype=torch.int64)
        return vertices, faces, bits, sdf.new_empty(words + 1, dtype=torch.int32)

    @torch.library.register_fake("meshlearn::marching_cubes_backward")
    def _(*_args):
        return None

    def _marching_cubes_setup(ctx, inputs, output) -> None:
        sdf, deform, _, ctx.resolution, ctx.bounds, *sparse = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(sdf, deform, output[2], output[3], *sparse)

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
        sdf, deform, alpha, beta, gamma, table, resolution, bounds, training, msdf=None, bits=None,
        start=None,
    ):  # fmt: skip
        ctx = torch.library.get_ctx()
        rx, ry, rz = resolution
        words = (rz + 64) // 64
        cell_words, corner_words = rx * ry * words, (rx + 1) * (ry + 1) * words
        cells, duals, quads = (ctx.new_dynamic_size() for _ in range(3))
        corners = ctx.new_dynamic_size() if deform is not None else 0

        def new(*shape, dtype=sdf.dtype):
            return sdf.new_empty(shape, dtype=dtype)

        def ranked(n):
            return [new(n, dtype=torch.int64), new(n + 1, dtype=torch.int32)]

        vertices = duals + quads if training else duals
        values = 0 if msdf is None else vertices
        return [
            new(vertices, 3),
            new((4 if training else 2) * quads, 3, dtype=torch.int64),
            new(duals),
            new(cells, dtype=torch.int64),
            new(cells, dtype=torch.int32),
            new(cells + 1, dtype=torch.int32),
            *ranked(cell_words),
            *ranked(3 * corner_words),
            *ranked(corner_words),
            new(corners, 3),
            new(cells if alpha is not None else 0, 8),
            new(cells if beta is not None else 0, 12),
            new(cells),
            new(quads, 4, dtype=torch.int32),
            new(quads, 4, dtype=torch.int32),
            new(values),
            new(values),
        ]

    @torch.library.register_fake("meshlearn::flexicubes_backward")
    def _(*_args):
        return None

    def _flexicubes_setup(ctx, inputs, output) -> None:
        sdf, deform, alpha, beta, gamma, table, *shape, msdf, bits, start = inputs
        ctx.resolution, ctx.bounds, ctx.training = shape
        ctx.set_materialize_grads(False)
        ctx.shapes = [None if t is None else tuple(t.shape) for t in (alpha, beta, gamma)]
        ctx.save_for_backward(sdf, deform, msdf, bits, start, table, *output[:19])

    def _flexicubes_backward(ctx, grads):
        sdf, deform, msdf, bits, start, table, *saved = ctx.saved_tensors
        grad_vertices, grad_deviation = grads[0], grads[2]
        grad_values = [None if g is None else g.contiguous() for g in grads[18:20]]
        given = [None if t is None else tuple(t.shape) for t in (sdf, deform, msdf)]
        shapes = [*given[:2], *ctx.shapes, given[2]]
        count = len(ctx.needs_input_grad)  # arguments left at their default are not counted
        wanted = [*ctx.needs_input_grad[:5], count > 9 and ctx.needs_input_grad[9]]
        *found, grad_msdf = [
            zeros_lazily(sdf, shape) if wants and shape is not None else None
            for wants, shape in zip(wanted, shapes, strict=True)
        ]
        if grad_vertices is None:
            grad_vertices = torch.zeros_like(saved[0])
        if grad_deviation is None:
            grad_deviation = torch.zeros_like(saved[2])
        torch.ops.meshlearn.flexicubes_backward(
            grad_vertices.contiguous(),
            grad_deviation.contiguous(),
            sdf,
            deform,
            table,
            saved,
            ctx.resolution,
            ctx.bounds,
            ctx.training,
            *found,
            msdf,
            *grad_values,
            grad_msdf,
            bits,
            start,
        )
        return (*found, *_NONE[:4], grad_msdf, None, None)[:count]

    torch.library.register_autograd(
        "meshlearn::flexicubes", _flexicubes_backward, setup_context=_flexicubes_setup
    )
