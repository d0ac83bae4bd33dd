"""A while loop of bounded length that can be differentiated in both modes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
from jax import lax

_BLOCK = 100
MAX_ITERATIONS = _BLOCK**2
"""How many iterations can be differentiated."""


@eqx.filter_custom_jvp
def bounded_while(
    arguments: Any, carry: Any, *, unfinished: Callable[..., Any], body: Callable[..., Any]
) -> Any:
    """Applies `body` while `unfinished` holds: a while loop that costs what its iterations cost.

    When differentiated, in either mode, the first 10 000 iterations are two nested scans that skip
    what is not needed, and reverse mode stores one state of them and repeats the rest.

    **Arguments:** `arguments` and `carry`, pytrees; `unfinished(arguments, carry)`, false after at
    most 10 000 iterations; `body(arguments, carry)`, the next carry. Derivatives flow through both
    pytrees, not through what the functions close over.
    """
    return lax.while_loop(partial(unfinished, arguments), partial(body, arguments), carry)


@bounded_while.def_jvp
def _bounded_while_jvp(
    primals: Any, tangents: Any, *, unfinished: Callable[..., Any], body: Callable[..., Any]
) -> tuple[Any, Any]:
    def iterations(arguments: Any, carry: Any) -> Any:
        def skip(condition: Any, function: Callable[..., Any], carry: Any) -> Any:
            return lax.cond(condition, function, lambda carry: carry, carry)

        def iteration(carry: Any, _: None) -> tuple[Any, None]:
            return skip(unfinished(arguments, carry), partial(body, arguments), carry), None

        @jax.checkpoint
        def block(carry: Any) -> Any:
            return lax.scan(iteration, carry, length=_BLOCK)[0]

        def blocks(carry: Any) -> Any:
            def one(carry: Any, _: None) -> tuple[Any, None]:
                return skip(unfinished(arguments, carry), block, carry), None

            return lax.scan(one, carry, length=_BLOCK)[0]

        # Most loops are over after one iteration.
        carry, _ = iteration(carry, None)
        return skip(unfinished(arguments, carry), blocks, carry)

    def run(arguments: Any, carry: Any) -> Any:
        dynamic, static = eqx.partition((arguments, carry), eqx.is_array)

        return jax.checkpoint(lambda dynamic: iterations(*eqx.combine(dynamic, static)))(dynamic)

    return eqx.filter_jvp(run, primals, tangents)
