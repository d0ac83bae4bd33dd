"""Tells mkdocstrings, which reads code without running it, what it would not find by itself.

Names that a package imports from its modules are its public ones, and the fields of an `eqx.Module`
or a `NamedTuple` are the parameters of its constructor.
"""

from __future__ import annotations

from typing import Any

import griffe

_CONSTRUCTED_BY_FIELDS = {"equinox.Module", "typing.NamedTuple"}


class Signatures(griffe.Extension):
    """Adds the missing names and constructors to the packages that were read."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        _visit(pkg)


def _visit(scope: griffe.Module | griffe.Class) -> None:
    for name, member in list(scope.members.items()):
        if member.is_alias:
            if scope.is_init_module and not name.startswith("_"):
                member.public = True
        elif member.is_class and "__init__" not in member.members:
            if any(base in _CONSTRUCTED_BY_FIELDS for base in _ancestors(member)):
                member.set_member("__init__", _constructor(member))
        elif member.is_module:
            _visit(member)


def _ancestors(kind: griffe.Class) -> list[str]:
    """The full names of all classes that a class inherits from."""
    own = [base.canonical_path for base in kind.bases if not isinstance(base, str)]
    return own + [path for base in kind.resolved_bases for path in _ancestors(base)]


def _constructor(kind: griffe.Class) -> griffe.Function:
    own = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    fields = {field.name: field for base in _with_bases(kind) for field in _fields(base)}
    by_keyword = griffe.ParameterKind.keyword_only
    ordered = sorted(fields.values(), key=lambda field: field.kind is by_keyword)
    return griffe.Function("__init__", parameters=griffe.Parameters(own, *ordered), parent=kind)


def _with_bases(kind: griffe.Class) -> list[griffe.Class]:
    return [*(one for base in kind.resolved_bases for one in _with_bases(base)), kind]


def _fields(kind: griffe.Class) -> list[griffe.Parameter]:
    attributes = [x for x in kind.members.values() if not x.is_alias and x.is_attribute]
    return [_parameter(x) for x in attributes if _is_field(x)]


def _is_field(attribute: griffe.Attribute) -> bool:
    annotation = str(attribute.annotation)
    of_class = "instance-attribute" not in attribute.labels and attribute.value is not None
    elsewhere = of_class or "property" in attribute.labels or annotation.startswith("eqx.Abstract")
    return attribute.annotation is not None and not elsewhere


def _parameter(attribute: griffe.Attribute) -> griffe.Parameter:
    options = _options(attribute.value)
    kinds = griffe.ParameterKind
    return griffe.Parameter(
        attribute.name,
        # A converter takes more than what is stored.
        annotation=None if "converter" in options else attribute.annotation,
        kind=kinds.keyword_only if "kw_only" in options else kinds.positional_or_keyword,
        default=options.get("default"),
    )


def _options(value: Any) -> dict[str, Any]:
    """The keywords of `eqx.field(...)`, or a value that stands there itself as the default."""
    if isinstance(value, griffe.ExprCall) and value.canonical_path == "equinox.field":
        keywords = [x for x in value.arguments if isinstance(x, griffe.ExprKeyword)]
        return {x.name: x.value for x in keywords}
    return {"default": value}
