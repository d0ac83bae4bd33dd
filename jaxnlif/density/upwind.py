r"""Weight direction at upwind faces: the learning flow of a step, of first order."""

from __future__ import annotations

from jaxtyping import Array, Float

from ..tridiagonal.sharded import solve_along_weights
from .learning_flow import LearningFlow, exchange_of
from .transport import AbstractTransport, Learning, Moved


class Upwind(AbstractTransport):
    r"""One implicit upwind step: positive, conservative and monotone at any step, of first order.

    The scalar conservation law for $H$ is solved implicitly with $\bar N$ and the conditional rate
    $r_j = N_j / H_j$ frozen, in four parts of the step, which cost little as H is small; $p$ is
    then carried with the resulting exchange rates, which conserve mass and positivity whatever the
    residual of that solve. If that brings more than 0.1 % of the mass into cells which held little
    or nothing before, `learning_flow` finds other rates. Each device solves the law for
    $H$, which is small, as a whole.

    **Reference:** jaxnlif's; the equation is that of Q. He, J. Hu, Z. Zhou, arXiv 2109.04667.
    """

    def move(self, learning: Learning, density: Float[Array, "v w"]) -> Moved:
        flow = LearningFlow.of(learning, density, limited=False)
        exchange, _ = exchange_of(flow, learning.firing, density)
        moved = solve_along_weights(exchange.up, exchange.down, density, flow.machine)
        return Moved(moved, exchange.iterations, exchange.converged)
