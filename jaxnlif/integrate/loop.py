"""A while loop of bounded length that can be differentiated in both modes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
from jax import lax

MAX_ITERATIONS = 10_000
"""How many iterations can be differentiated."""


@eqx.filter_custom_jvp
def bounded_while(
    arguments: Any,
    carry: Any,
    *,
    unfinished: Callable[..., Any],
    body: Callable[..., Any],
    most: int = MAX_ITERATIONS,
    often_one: bool = True,
) -> Any:
    """Applies `body` while `unfinished` holds: a while loop that costs what its iterations cost.

    When differentiated, in either mode, the first `most` iterations are two nested scans that skip
    what is not needed, and reverse mode stores one state of them and repeats the rest.

    **Arguments:** `arguments` and `carry`, pytrees; `unfinished(arguments, carry)`, false after at
    most `most` iterations, which are no more than 10 000; `body(arguments, carry)`, the next carry;
    `often_one`, whether most loops are over after one iteration, which then costs no more than
    that. Derivatives flow through both pytrees, not through what the functions close over.
    """
    return lax.while_loop(partial(unfinished, arguments), partial(body, arguments), carry)


@bounded_while.def_jvp
def _bounded_while_jvp(
    primals: Any,
    tangents: Any,
    *,
    unfinished: Callable[..., Any],
    body: Callable[..., Any],
    most: int = MAX_ITERATIONS,
    often_one: bool = True,
) -> tuple[Any, Any]:
    length = math.isqrt(most - 1) + 1

    def iterations(arguments: Any, carry: Any) -> Any:
        def skip(condition: Any, function: Callable[..., Any], carry: Any) -> Any:
            return lax.cond(condition, function, lambda carry: carry, carry)

        def iteration(carry: Any, _: None) -> tuple[Any, None]:
            return skip(unfinished(arguments, carry), partial(body, arguments), carry), None

        @jax.checkpoint
        def block(carry: Any) -> Any:
            return lax.scan(iteration, carry, length=length)[0]

        def blocks(carry: Any) -> Any:
            def one(carry: Any, _: None) -> tuple[Any, None]:
                return skip(unfinished(arguments, carry), block, carry), None

            return lax.scan(one, carry, length=length)[0]

        if not often_one:
            return blocks(carry)
        carry, _ = iteration(carry, None)
        return skip(unfinished(arguments, carry), blocks, carry)

    def run(arguments: Any, carry: Any) -> Any:
        dynamic, static = eqx.partition((arguments, carry), eqx.is_array)

        return jax.checkpoint(lambda dynamic: iterations(*eqx.combine(dynamic, static)))(dynamic)

    return eqx.filter_jvp(run, primals, tangents)
