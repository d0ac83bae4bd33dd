r"""On which devices the arrays of a run lie, and what each device computes of them.

A density is split by its weights, particles by their numbers: both are the last axis of their
arrays. What treats every column by itself runs on each device for its own columns; the rest, sums
over columns or neurons and conditions on them, the compiler partitions by itself.
"""

# pyright: reportIncompatibleMethodOverride=false
# A static method stands for one that needs no object.

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from .._check import check, is_concrete
from ..store.leaves import is_key, numbers

if TYPE_CHECKING:
    from ..integrate.solver import AbstractSolver


class AbstractLayout(eqx.Module):
    """Where the arrays of a run lie."""

    @abc.abstractmethod
    def applied(self, solver: "AbstractSolver") -> "AbstractSolver":
        """The solver with its arrays where they belong; `ValueError` if they do not fit there."""

    @abc.abstractmethod
    def split(self, tree: Any) -> Any:
        """The same arrays, with the last axis of each split over the devices."""

    @abc.abstractmethod
    def by_part(self, function: Callable[..., Array], *, rank: int) -> Callable[..., Array]:
        """The function, of which each device computes the result for its part of the last axes.

        Numbers, and arrays whose last axis is 1, are known to all; every other array is split.
        `rank`: that of the result.
        """

    @abc.abstractmethod
    def everywhere(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, which each device computes as a whole."""

    @abc.abstractmethod
    def placed(self, tree: Any, *, split: bool = False) -> Any:
        """The same arrays where they are computed with: known to all devices, or `split` where
        that divides; traced ones as they are."""

    @abc.abstractmethod
    def fetched(self, tree: Any) -> Any:
        """The same arrays where this process can read them whole."""

    @abc.abstractmethod
    def agreed(self, number: float) -> float:
        """The largest of the numbers that the processes of the run measured, each its own."""


class OneDevice(AbstractLayout):
    """Everything on one device."""

    # Static, as a bound method of a module is made anew, slowly, whenever it is looked up.

    @staticmethod
    def applied(solver: Any) -> Any:
        return solver

    @staticmethod
    def split(tree: Any) -> Any:
        return tree

    @staticmethod
    def by_part(function: Callable[..., Array], *, rank: int) -> Callable[..., Array]:
        return function

    @staticmethod
    def everywhere(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    @staticmethod
    def placed(tree: Any, *, split: bool = False) -> Any:
        return tree

    @staticmethod
    def fetched(tree: Any) -> Any:
        return tree

    @staticmethod
    def agreed(number: float) -> float:
        return number


ONE_DEVICE = OneDevice()


class Sharded(AbstractLayout):
    """Arrays split along one axis of a mesh; along its others, if any, everything is repeated.

    **Arguments:** the mesh, and the name of the axis.
    """

    mesh: Mesh = eqx.field(static=True)
    axis: str = eqx.field(static=True)

    @property
    def parts(self) -> int:
        """Over how many devices arrays are split."""
        return self.mesh.shape[self.axis]

    def check_divides(self, name: str, num: int) -> None:
        """Raises `ValueError` unless each device gets the same number."""
        if num % self.parts:
            below = num - num % self.parts
            near = [str(n) for n in (below, below + self.parts) if n > 0]
            raise ValueError(
                f"sharding: {self.parts} devices along {self.axis!r} do not divide {name} = {num}: "
                f"must be a multiple of {self.parts}, such as {' or '.join(near)}"
            )

    def applied(self, solver: "AbstractSolver") -> "AbstractSolver":
        return solver.sharded(self)

    def split(self, tree: Any) -> Any:
        def one(x: Any) -> Any:
            return lax.with_sharding_constraint(x, NamedSharding(self.mesh, self._spec(x.ndim)))

        return jax.tree.map(one, tree)

    def by_part(self, function: Callable[..., Array], *, rank: int) -> Callable[..., Array]:
        def spec(x: Any) -> PartitionSpec:
            shared = jnp.ndim(x) > 0 and jnp.shape(x)[-1] == 1
            return PartitionSpec() if shared else self._spec(jnp.ndim(x))

        def run(*arguments: Any) -> Array:
            given = jax.tree.map(spec, arguments)
            return self._mapped(function, given, self._spec(rank))(*arguments)

        return run

    def everywhere(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._mapped(function, PartitionSpec(), PartitionSpec())

    def placed(self, tree: Any, *, split: bool = False) -> Any:
        def one(x: Any) -> Any:
            if not isinstance(x, jax.Array | np.ndarray) or not is_concrete(x):
                return x
            if is_key(x):
                return jax.random.wrap_key_data(one(numbers(x)), impl=jax.random.key_impl(x))
            values = np.asarray(x)
            divides = values.ndim > 0 and values.shape[-1] % self.parts == 0
            spec = self._spec(values.ndim) if split and divides else PartitionSpec()
            # Every process puts what it has on its own devices; nothing is sent.
            return jax.make_array_from_callback(
                values.shape, NamedSharding(self.mesh, spec), values.__getitem__
            )

        return jax.tree.map(one, tree)

    def fetched(self, tree: Any) -> Any:
        def one(x: Any) -> Any:
            if not isinstance(x, jax.Array) or not is_concrete(x):
                return x
            if not x.is_fully_addressable:
                from jax.experimental import multihost_utils  # takes long, and few runs need it

                return multihost_utils.process_allgather(x, tiled=True)
            return np.asarray(x)

        return jax.tree.map(one, tree)

    def agreed(self, number: float) -> float:
        if len({device.process_index for device in self.mesh.devices.flat}) == 1:
            return number
        each = jax.make_array_from_callback(
            (self.parts,),
            NamedSharding(self.mesh, PartitionSpec(self.axis)),
            lambda _: np.full(1, number, np.float32),
        )
        return float(jnp.max(each))

    def carried(self, end: Array, factor: Array, *, reverse: bool = False) -> Array:
        r"""What enters a device where each hands on $end + factor · (what enters it)$.

        To be called within `by_part`. One row for each device is all that is exchanged.

        **Arguments:** `end`, a row, and `factor`, a number; `reverse`, whether the last device
        comes first.
        """
        every = lax.all_gather(jnp.append(end, factor), self.axis)  # one exchange, not two

        def hand_on(entering: Array, device: Array) -> tuple[Array, Array]:
            return device[:-1] + device[-1] * entering, entering

        entering = lax.scan(hand_on, jnp.zeros_like(end), every, reverse=reverse)[1]
        return entering[lax.axis_index(self.axis)]

    def _spec(self, rank: int) -> PartitionSpec:
        """That of an array with its last axis split."""
        return PartitionSpec(*[None] * (rank - 1), self.axis) if rank else PartitionSpec()

    def _mapped(
        self, function: Callable[..., Any], given: Any, returned: Any
    ) -> Callable[..., Any]:
        # Unchecked, what all devices know is summed over them at the entrance when transposed, and
        # nowhere inside, where devices may take different branches.
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=given, out_specs=returned, check_vma=False
        )


def with_layout(solver: Any, layout: AbstractLayout) -> Any:
    """The solver with another `layout`."""

    def is_layout(node: Any) -> bool:
        return isinstance(node, AbstractLayout)

    return eqx.tree_at(lambda solver: solver.layout, solver, layout, is_leaf=is_layout)


def layout_of(sharding: Any) -> OneDevice | Sharded:
    """The layout that `solve(..., sharding=sharding)` asks for.

    **Raises:** `ValueError` unless it is `None`, a `Mesh` with one axis, or a `NamedSharding` whose
    spec names one axis of its mesh.
    """
    if sharding is None:
        return ONE_DEVICE
    mesh = sharding.mesh if isinstance(sharding, NamedSharding) else sharding
    check(
        isinstance(mesh, Mesh),
        f"sharding = {sharding!r}: must be a jax.sharding.Mesh, or a NamedSharding on one",
    )
    if isinstance(sharding, NamedSharding):
        axes = [axis for axis in jax.tree.leaves(tuple(sharding.spec)) if axis is not None]
        rule = "its spec must name the one axis over which the run is split"
    else:
        axes = list(mesh.axis_names)
        rule = "say which of them, as NamedSharding(mesh, PartitionSpec('name'))"
    check(len(axes) == 1, f"sharding: axes {axes} of a mesh with {mesh.axis_names}: {rule}")
    # The compiler is to partition what is left to it, whatever kind the axes are elsewhere.
    kinds = (AxisType.Auto,) * len(mesh.axis_names)
    return Sharded(Mesh(np.asarray(mesh.devices), mesh.axis_names, axis_types=kinds), axes[0])
