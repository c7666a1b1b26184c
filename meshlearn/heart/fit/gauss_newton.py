"""Steps of pose, parameters, slice shifts and the flow's last layer: Gauss-Newton, damped.

Equations of the fit, by the numbers that the code names; those of the model are listed in
`meshlearn.heart.model`:

(H8)  L(θ, R, c, d, W) = Σ_i w_i h(|p_i + d_slice(i) - q_i|)       contours to closest points q
                       + w_d mean |d_slice|² / σ²                  shifts of the slices
                       + w_p (θ - μ)ᵀ C⁻¹ (θ - μ) / N              the population's Gaussian
                       + w_r θᵀ B θ                                roughness of the splines
                       + Wᵀ Q W                                    energy and strain of the flow
(H9)  h(r) = r² / 2 for r ≤ δ, δ (r - δ / 2) beyond                Huber's loss
(H10) (JᵀJ + K + λ diag(JᵀJ + K)) step = Jᵀr - g                   Levenberg and Marquardt
(H11) w_a mean |x - x̂|², x̂ = argmin Σ_t |x(t-1) - 2 x(t) + x(t+1)|²     frames of a series

W is the last layer of the flow, in which its velocity is linear; J holds derivatives of the
distances, weighted by w h'(r) / r; K and g are the second and first derivatives of the priors.
One-sided, from contours to the surface, as contours are sparse: Ye et al. (2023). Coefficients,
turns and moves of a step are clamped by the limits of `settings`, which bends it where one is
reached.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.heart.fit.data_term import DataTerm
from meshlearn.heart.fit.settings import (
    DAMPING,
    DAMPING_LESS,
    DAMPING_MORE,
    DAMPING_RANGE,
    DIFFERENCE,
    FARTHEST_THETA,
    STEP_MOVE,
    STEP_THETA,
    STEP_TURN,
    STRAIN_FLOOR,
    TOLERANCE,
    TOUCHING,
    TRIES,
)
from meshlearn.heart.model import SIZE, HeartModel, Primitive, primitive_vertices
from meshlearn.heart.model.constants import FLOW_UNIT
from meshlearn.heart.model.heart_model import quaternion, rotation
from meshlearn.heart.model.parameters import roughness_matrix
from meshlearn.heart.model.population import gaussian_prior
from meshlearn.heart.model.tessellation import Tessellation

EDGES = ("lv", "epi", "septum", "free")  # whose edges the flow's strain is measured along


class Solver:
    """Levenberg-Marquardt steps on one heart, in place (H10).

    Residuals are distances of contour points to their surface along the direction to the foot,
    weighted by Huber's rule. The Jacobian of the primitive comes from one batch of hearts, each
    with one coefficient moved; that of the flow's last layer, which the velocity is linear in, from
    its features along the paths. Both ignore how the flow carries a change on, which is second
    order for small flows; steps that do not lower the loss are taken back.

    Args:
        model: the heart; the code of its flow stays.
        data: contour points by surface.
        tess: the tessellation.
        flow: whether the flow moves too.
        shifting: whether the slices may shift in their planes.
        target: indices (K,) of the tessellation's vertices and where they are expected, (K, 3) mm,
            weighted by the settings' `still`.
    """

    def __init__(
        self,
        model: HeartModel,
        data: DataTerm,
        tess: Tessellation,
        *,
        flow: bool,
        shifting: bool = True,
        target: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.model, self.data, self.tess, self.flow = model, data, tess, flow
        self.target = target
        self.settings = data.settings
        self.rough = roughness_matrix(model.theta)
        self.mean, self.precision = gaussian_prior()
        self.shifting = shifting and self.settings.shift > 0 and len(data.numbers) > 0
        pairs = torch.cat([tess.faces[n] for n in EDGES])
        self.edges = torch.cat([pairs[:, [0, 1]], pairs[:, [1, 2]]])
        self.last = (model.flow.weights[2], model.flow.biases[2])
        self.damping = DAMPING
        # what energy and strain are counted from: nothing, or the flow that an encoder gave
        self.given = torch.cat([self.last[0], self.last[1][None]]).clone() * (
            model.code is not None
        )

    # --- state ----------------------------------------------------------------------------------

    def _parts(self) -> list[Tensor]:
        return [self.model.theta, self.model.quaternion, self.model.centre, self.data.shifts] + (
            list(self.last) if self.flow else []
        )

    def _save(self) -> list[Tensor]:
        return [part.detach().clone() for part in self._parts()]

    def _restore(self, state: list[Tensor]) -> None:
        for part, value in zip(self._parts(), state, strict=True):
            part.copy_(value)

    def _apply(self, move: Tensor) -> None:
        model = self.model
        model.theta.add_(move[:SIZE].clamp(-STEP_THETA, STEP_THETA))
        model.theta.clamp_(-FARTHEST_THETA, FARTHEST_THETA)
        turn = move[SIZE : SIZE + 3].clamp(-STEP_TURN, STEP_TURN)
        angle = turn.norm().clamp(min=1e-9)
        half = torch.cat([torch.cos(angle / 2)[None], torch.sin(angle / 2) * turn / angle])
        model.quaternion[0] = quaternion(rotation(half[None])[0] @ rotation(model.quaternion)[0])
        model.centre[0] += move[SIZE + 3 : SIZE + 6].clamp(-STEP_MOVE, STEP_MOVE)
        at = SIZE + 6
        if self.shifting:
            n = 2 * len(self.data.numbers)
            self.data.shifts += move[at : at + n].reshape(-1, 2)
            at += n
        if self.flow:
            rows = move[at:].reshape(-1, 3)
            self.last[0].add_(rows[:-1])
            self.last[1].add_(rows[-1])

    # --- what is minimised ----------------------------------------------------------------------

    def _evaluate(self) -> float:
        """The loss here (H8), in series with (H11); keeps what `_system` needs."""
        model, s = self.model, self.settings
        self.before = primitive_vertices(Primitive(model.theta), self.tess)[0]
        after = self.before
        theta = model.theta[0]
        off = theta.double() - self.mean
        loss = s.prior / SIZE * float(off @ self.precision @ off)
        loss += s.rough * float(theta @ self.rough @ theta)
        if self.flow:
            after = model.deform(self.before)
            self.form = self._form()
            last = torch.cat([self.last[0], self.last[1][None]])
            last = last - self.given
            loss += float((last * (self.form @ last)).sum())
        self.world = model.to_world(after)
        if self.target is not None:
            loss += s.still * float((self._off(*self.target) ** 2).sum(1).mean())
        return loss + float(self.data.loss(self.world, self.tess))

    def _form(self) -> Tensor:
        """The quadratic form Q (F + 1, F + 1) of the flow's energy and strain in its last layer."""
        s = self.settings
        found = self.model.flow.trace(self.before, self.model.code)
        self.features = torch.cat([found, torch.ones_like(found[:, :1])], 1) * FLOW_UNIT
        a, b = self.edges.T
        change = self.features[a] - self.features[b]
        length = ((self.before[a] - self.before[b]) ** 2).sum(1) + STRAIN_FLOOR
        change = change * (s.strain / len(self.edges) / length).sqrt()[:, None]
        scaled = self.features * (s.energy / len(self.features)) ** 0.5
        form = change.T @ change + scaled.T @ scaled
        return form + s.ridge * torch.eye(len(form))

    def _system(self) -> tuple[Tensor, Tensor]:
        """Normal equations JᵀJ + K (N, N) and Jᵀr - g (N,) of (H10), float64."""
        model, data, s = self.model, self.data, self.settings
        turn = rotation(model.quaternion)[0]
        nudged = model.theta + DIFFERENCE * torch.eye(SIZE)
        change = (primitive_vertices(Primitive(nudged), self.tess) - self.before) / DIFFERENCE
        change = change @ turn.T  # (N, V, 3)
        n_shift = 2 * len(data.numbers) if self.shifting else 0
        n_flow = 3 * self.features.shape[1] if self.flow else 0
        at = SIZE + 6
        size = at + n_shift + n_flow
        matrix = torch.zeros(size, size, dtype=torch.float64)
        right = torch.zeros(size, dtype=torch.float64)
        for points, slot, weight, corners, share, beyond in data.feet(self.world, self.tess):
            foot = (self.world[corners] * share[..., None]).sum(1) + beyond
            gap = data.moved(points, slot) - foot
            distance = gap.norm(dim=1)
            toward = self._toward(gap, distance, corners)
            robust = weight * (s.huber / distance.clamp(min=s.huber))
            rows = torch.zeros(len(points), size)
            rows[:, :SIZE] = ((change[:, corners] * share[..., None]).sum(2) * toward).sum(-1).T
            rows[:, SIZE : SIZE + 3] = torch.linalg.cross(foot - model.centre[0], toward)
            rows[:, SIZE + 3 : at] = toward
            if n_shift:
                pull = -(data.axes[slot.clamp(min=0)] * toward[:, :, None]).sum(1)
                index = at + 2 * slot.clamp(min=0)[:, None] + torch.tensor([0, 1])
                rows.scatter_add_(1, index, pull * (slot >= 0)[:, None])
            if n_flow:
                carried = (self.features[corners] * share[..., None]).sum(1)
                rows[:, at + n_shift :] = (carried[:, :, None] * (toward @ turn)[:, None]).reshape(
                    len(points), -1
                )
            weighted = rows * robust[:, None]
            matrix += (weighted.T @ rows).double()
            right += (weighted * (gap * toward).sum(1)[:, None]).sum(0).double()
        if self.target is not None:
            off = self._off(*self.target)
            gain = 2 * s.still / len(off)
            moves = self._moves(self.target[0], change, turn, size, at + n_shift)
            for axis in range(3):
                matrix += gain * (moves[axis].T @ moves[axis]).double()
                right += gain * (moves[axis].T @ off[:, axis]).double()
        theta = model.theta[0].double()
        prior, rough = 2 * s.prior / SIZE * self.precision, 2 * s.rough * self.rough.double()
        matrix[:SIZE, :SIZE] += prior + rough
        right[:SIZE] -= prior @ (theta - self.mean) + rough @ theta
        if n_shift:
            gain = 2 * s.shift_weight / s.shift**2 / len(data.numbers)
            part = slice(at, at + n_shift)
            matrix[part, part] += gain * torch.eye(n_shift)
            right[part] -= gain * data.shifts.reshape(-1).double()
        if n_flow:
            part = slice(at + n_shift, size)
            own = torch.kron(2 * self.form.double(), torch.eye(3, dtype=torch.float64))
            last = torch.cat([self.last[0], self.last[1][None]]) - self.given
            last = last.reshape(-1).double()
            matrix[part, part] += own
            right[part] -= own @ last
        return matrix, right

    def _off(self, which: Tensor, expected: Tensor) -> Tensor:
        """From the vertices `which` (K,) to where they are expected, both (K, 3) mm."""
        return expected - self.world[which]

    def _moves(self, which: Tensor, change: Tensor, turn: Tensor, size: int, flow: int) -> Tensor:
        """What a change of each of `size` unknowns moves the vertices `which` (K,) by along each
        axis, (3, K, size), of what it moves all by before the flow, (N, V, 3); the flow's begin at
        `flow`."""
        moves = torch.zeros(3, len(which), size)
        moves[:, :, :SIZE] = change[:, which].permute(2, 1, 0)
        away = self.world[which] - self.model.centre[0]
        for k, axis in enumerate(torch.eye(3)):
            moves[:, :, SIZE + k] = torch.linalg.cross(axis.expand_as(away), away).T
            moves[k, :, SIZE + 3 + k] = 1
        if self.flow:
            carried = torch.einsum("pf,ij->ipfj", self.features[which], turn)
            moves[:, :, flow:] = carried.flatten(2)
        return moves

    def _toward(self, gap: Tensor, distance: Tensor, corners: Tensor) -> Tensor:
        """Unit directions in which a distance grows: to the point, the face's normal where near."""
        sides = self.world[corners]
        normal = torch.linalg.cross(sides[:, 1] - sides[:, 0], sides[:, 2] - sides[:, 0])
        size = normal.norm(dim=1)
        near = (size > 1e-9) & (distance < TOUCHING)
        toward = gap / distance.clamp(min=1e-6)[:, None]
        return torch.where(near[:, None], normal / size.clamp(min=1e-9)[:, None], toward)

    # --- steps ----------------------------------------------------------------------------------

    @torch.no_grad()
    def run(self, iterations: int, *, tolerance: float = TOLERANCE) -> list[float]:
        """Up to so many accepted steps; ends where the loss falls by less than `tolerance` of
        itself. Returns the losses."""
        last = self._evaluate()
        history = [last]
        for _ in range(iterations):
            state, (matrix, right) = self._save(), self._system()
            scale = torch.diag(matrix.diagonal().clamp(min=1e-9))
            for _ in range(TRIES):
                self._apply(torch.linalg.solve(matrix + self.damping * scale, right).float())
                loss = self._evaluate()
                if loss < last:
                    self.damping = max(self.damping / DAMPING_LESS, DAMPING_RANGE[0])
                    break
                self.damping = min(self.damping * DAMPING_MORE, DAMPING_RANGE[1])
                self._restore(state)
            else:
                self._evaluate()
                break
            gained, last = last - loss, loss
            history.append(loss)
            if gained < tolerance * loss:
                break
        return history
