"""Fits of hearts to contours: one frame, a cycle, from a trained encoder.

How a fit chooses its steps is told by three files: `one_frame` (what moves when), `gauss_newton`
(one step) and `settings` (every number). Equations, by the numbers that the code names; those of
the model are listed in `meshlearn.heart.model`:

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
One-sided, from contours to the surface, as contours are sparse: Ye et al. (2023).
"""
