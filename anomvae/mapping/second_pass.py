"""Arrays of Dask that are computed once more, after something else, so that no chunk waits.

`dask.graph_manipulation.bind` is made for this, but since Dask keeps tasks as objects it loses
those of slices; so these graphs are renamed here, and only older ones there.
"""

from __future__ import annotations

from typing import Any


def computed_again(array: Any, after: Any) -> Any:  # noqa: ANN401 - Dask's
    """Return an array of the same numbers, of tasks of its own that begin when ``after`` is there.

    Parameters
    ----------
    array : dask.array.Array
        The array.
    after : dask.delayed.Delayed
        What is computed first, from the same array.
    """
    try:
        from dask._task_spec import GraphNode
    except ImportError:
        from dask.graph_manipulation import bind

        return bind(array, after)
    return _renamed(array, after, GraphNode)


def _renamed(array: Any, after: Any, kind: Any) -> Any:  # noqa: ANN401 - Dask's
    from dask._task_spec import Task, TaskRef, convert_legacy_graph
    from dask.array import Array
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    graph: dict[Any, Any] = convert_legacy_graph(dict(array.__dask_graph__()))
    token = tokenize(array.name, after.key)
    names = {key: _again(key, token) for key in graph}
    renamed: dict[Any, Any] = {}
    for key, node in graph.items():
        new = names[key]
        if not isinstance(node, kind):
            renamed[new] = node  # a future of a cluster, which has its numbers
        elif node.dependencies:
            renamed[new] = node.substitute(names, key=new)
        else:
            renamed[new] = Task(new, _first, node, TaskRef(after.key))
    name = _again(array.name, token)
    layered = HighLevelGraph.from_collections(name, renamed, dependencies=[after])
    return Array(layered, name, array.chunks, meta=array._meta)


def _again(key: Any, token: str) -> Any:  # noqa: ANN401 - a key of Dask
    if isinstance(key, tuple):
        return (_again(key[0], token), *key[1:])
    return f"{key}-again-{token}"


def _first(numbers: Any, after: Any) -> Any:  # noqa: ANN401 - what a task returns
    return numbers
