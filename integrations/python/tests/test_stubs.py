"""The type stubs have the calls, parameters and members that there are, and all of them are documented."""

import ast
import inspect
from pathlib import Path

import pytest

import joinery

STUBS = ast.parse(Path(joinery.__file__).with_suffix(".pyi").read_text())
CALLS = {node.name: node for node in STUBS.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name: node for node in STUBS.body if isinstance(node, ast.ClassDef) and node.name in joinery.__all__}


def test_all_names_have_stubs():
    assert {*CALLS, *CLASSES} == set(joinery.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_parameters_are_those_of_the_stub(name):
    parameters = inspect.signature(getattr(joinery, name)).parameters.values()
    found = {"positional": [], "named": []}
    for parameter in parameters:
        kind = "named" if parameter.kind == parameter.KEYWORD_ONLY else "positional"
        default = () if parameter.default is parameter.empty else (parameter.default,)
        found[kind].append((parameter.name, *default))
    of_stub = CALLS[name].args

    def declared(arguments, defaults):
        defaults = [None] * (len(arguments) - len(defaults)) + list(defaults)
        return [(argument.arg, *([] if default is None else [ast.literal_eval(default)])) for argument, default in zip(arguments, defaults)]

    assert found == {
        "positional": declared(of_stub.args, of_stub.defaults),
        "named": declared(of_stub.kwonlyargs, of_stub.kw_defaults),
    }


@pytest.mark.parametrize("name", CLASSES)
def test_members_are_those_of_the_stub(name):
    members = {node.name for node in CLASSES[name].body if isinstance(node, ast.FunctionDef)}
    found = {member for member in vars(getattr(joinery, name)) if not member.startswith("__")}
    assert found == {member for member in members if not member.startswith("__")}
    assert {member for member in members if member.startswith("__")} <= set(dir(getattr(joinery, name)))


@pytest.mark.parametrize("name", joinery.__all__)
def test_everything_is_documented(name):
    documented = getattr(joinery, name)
    assert documented.__doc__
    if name in CLASSES:
        members = [member for member in vars(documented) if not member.startswith("_")]
        assert all(getattr(documented, member).__doc__ for member in members), members
    else:
        parameters = inspect.signature(documented).parameters
        said = documented.__doc__
        others = [call.__doc__ for call in (joinery.pairs, joinery.count) if f"``{call.__name__}``" in said]
        assert all(any(parameter in text for text in [said, *others]) for parameter in parameters)
