"""RetinaFace's graph in two: the coarse levels of its pyramid, and the finest level on what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LEVELS = 3


def split_levels(model: Any, outputs: Sequence[str]) -> tuple[Any, Any]:
    """Two graphs that together compute what `model` computes.

    Args:
        model: its `outputs`, [N, priors, columns] each, are concatenations of three levels, the finest first;
            behind the scores' one stands a softmax.
        outputs: their names.

    Returns:
        The coarse graph: the input of `model` -> `outputs` without their finest level, then the tensors that
        the fine graph takes. The fine graph: these tensors, in order -> `outputs` at the finest level alone.

    Raises:
        ValueError: an output is no such concatenation.
    """
    import openvino
    from openvino import opset8 as ops

    graph: Any = openvino.Model
    coarse_model, fine_model = model.clone(), model.clone()
    coarse = [
        _finished(ops.concat(parts[1:], 1).output(0), softmax)
        for parts, softmax in (_parts_of(coarse_model.output(name)) for name in outputs)
    ]
    known = _ancestors(coarse)
    parts = (_parts_of(coarse_model.output(name)) for name in outputs)
    handed_over = _boundary([levels[0] for levels, _ in parts], known)
    fine = [
        _finished(levels[0], softmax)
        for levels, softmax in (_parts_of(fine_model.output(name)) for name in outputs)
    ]
    by_name = {node.get_friendly_name(): node for node in fine_model.get_ops()}
    parameters: list[Any] = []
    for tensor in handed_over:
        parameters.append(ops.parameter(tensor.get_partial_shape(), tensor.get_element_type()))
        twin = by_name[tensor.get_node().get_friendly_name()].output(tensor.get_index())
        for reader in list(twin.get_target_inputs()):
            reader.replace_source_output(parameters[-1].output(0))
    return (
        graph([*coarse, *handed_over], coarse_model.get_parameters(), "coarse"),
        graph(fine, parameters, "fine"),
    )


def _parts_of(output: Any) -> tuple[list[Any], bool]:
    """The levels of an output, and whether a softmax comes behind their concatenation."""
    node = output.get_node().input_value(0).get_node()
    softmax = node.get_type_name() == "Softmax"
    if softmax:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Concat" or node.get_input_size() != LEVELS:
        raise ValueError(f"an output is no concatenation of {LEVELS} levels, but {node.get_type_name()}")
    return [node.input_value(i) for i in range(LEVELS)], softmax


def _finished(tensor: Any, softmax: bool) -> Any:
    from openvino import opset8 as ops

    return ops.softmax(tensor, axis=-1).output(0) if softmax else tensor


def _ancestors(tensors: Sequence[Any]) -> set[str]:
    """Names of all nodes that these depend on, and their own."""
    waiting, found = [tensor.get_node() for tensor in tensors], set[str]()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in found:
            found.add(node.get_friendly_name())
            waiting += [node.input_value(i).get_node() for i in range(node.get_input_size())]
    return found


def _boundary(tensors: Sequence[Any], known: set[str]) -> list[Any]:
    """The tensors of `known` nodes, constants aside, that other ancestors of `tensors` read, each once."""
    waiting, seen, found = [tensor.get_node() for tensor in tensors], set[str](), dict[str, Any]()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() in seen:
            continue
        seen.add(node.get_friendly_name())
        for source in (node.input_value(i) for i in range(node.get_input_size())):
            giver = source.get_node()
            if giver.get_friendly_name() not in known:
                waiting.append(giver)
            elif giver.get_type_name() != "Constant":
                found[f"{giver.get_friendly_name()}:{source.get_index()}"] = source
    return [found[name] for name in sorted(found)]
