"""Reads a JSON string a line, a YAML text, and answers with a line: its scalars with their places, or why it cannot be read.

PyYAML's own scanner and parser, in Python. A scalar is [place, tag, value]; a place is made of the numbers of the entries on the
way, so that doubled keys have places of their own. One text has as many seconds as the first argument says; then this process ends.
"""
import json
import signal
import sys

import yaml

MOST = 100_000


def flatten(node, place, scalars):
    if len(scalars) > MOST:
        raise yaml.YAMLError("too many values")
    if isinstance(node, yaml.ScalarNode):
        scalars.append([place, node.tag, node.value])
        return
    scalars.append([place, node.tag, None])
    for number, item in enumerate(node.value):
        if isinstance(node, yaml.MappingNode):
            key, value = item
            flatten(key, f"{place}/{number}?", scalars)
            flatten(value, f"{place}/{number}:", scalars)
        else:
            flatten(item, f"{place}/{number}", scalars)


for line in sys.stdin:
    signal.alarm(int(sys.argv[1]))
    try:
        scalars = []
        for number, document in enumerate(yaml.compose_all(json.loads(line), Loader=yaml.SafeLoader)):
            if document is not None:
                flatten(document, str(number), scalars)
        answer = {"scalars": scalars}
    except (yaml.YAMLError, RecursionError) as error:
        answer = {"error": " ".join(str(error).split())}
    print(json.dumps(answer), flush=True)
    signal.alarm(0)
