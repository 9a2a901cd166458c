"""The YAML file of ``--config``: a small tree of plain fields."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from metaspiel.nfg.errors import UserError, shown
from metaspiel.nfg.texts import read_text

_MOST = 100_000  # characters; a configuration is short, and PyYAML slow
_DEEPEST = 20


class _Plain(yaml.SafeLoader):
    """Reads fields without aliases, tags, keys that come twice, or deep nesting.

    A number is decimal; what else YAML 1.1 takes for one (``1_000``, ``1:30``), for a
    date or for a merge of mappings is text.
    """

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Composes a node that is none of these."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _refused("an alias does not belong here", event)
        if getattr(event, "tag", None) is not None:
            raise _refused(f"the tag '{shown(event.tag)}' does not belong here", event)
        if self.depth > _DEEPEST:
            raise _refused("lists are nested too deeply", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are all different."""
        known = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in known:
                raise _refused(f"'{shown(key.value)}' is given twice", key)
            known.add(str(key.value))
        return super().construct_mapping(node, deep)


def _refused(problem: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


_Plain.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("bool", r"(?:yes|no|true|false|on|off)\Z", "yYnNtTfFoO"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?\Z", "-+.0123456789"),
    ("float", r"[-+]?\.inf\Z|\.nan\Z", "-+."),
    ("null", r"(?:~|null|)\Z", "~nN\0"),
):
    _Plain.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}",
        re.compile(_pattern, re.IGNORECASE),
        ["" if one == "\0" else one for one in _first],
    )


def read_fields(path: Path) -> Mapping[str, object]:
    """Fields by name; none where the file is empty.

    Raises:
      UserError: it is no YAML file of fields.
    """
    where = f"--config: '{path}'"
    try:
        text = read_text(path)
        if len(text) > _MOST:
            raise UserError(f"it must be at most {_MOST} characters; got {len(text)}")
        fields = yaml.load(text, _Plain)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" in line {mark.line + 1}" if mark else ""
        raise UserError(
            f"{where} must be a readable YAML file; {shown(error.problem, 200)}{line}"
        ) from None
    except yaml.YAMLError as error:
        reason = shown(str(error).split("\n", 1)[0], 200)
        raise UserError(f"{where} must be a readable YAML file; {reason}") from None
    except UserError as error:
        raise UserError(f"{where} must be a readable YAML file; {error}") from None
    except ValueError:
        raise UserError(f"{where} must hold numbers of fewer digits") from None
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise UserError(f"{where} must hold fields; got {shown(repr(fields))}")
    return fields
