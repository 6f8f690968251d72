"""Gives schemathesis names of things that exist, so that its requests get past the front door.

Only the description that requests are made from is changed. Beside each name arbitrary text stays
possible, but for the project: another project is refused before anything is looked at.
"""

import json
import os

import schemathesis

# What there is on the server: a list of values by the name of a parameter or field.
KNOWN = json.loads(os.environ["SCHEMA_KNOWN"])

# What ends or empties a graph works on graphs made for that.
RUINOUS = ("/start", "/stop", "/restart", "/clear-graph", "/import-graph", "/upgrade", "/resize")


def values(name, path, method):
    if name == "graph" and path.startswith("/ges/"):
        name = "graph_name"
    elif name == "graph" and (path.endswith(RUINOUS) or (method == "delete" and path.endswith("{graph}"))):
        name = "expendable_graph"
    elif name == "backup" and method == "delete":
        name = "expendable_backup"
    return KNOWN.get(name)


def narrowed(name, schema, known):
    if known is None:
        return schema
    return {"enum": known} if name.startswith("project") else {"anyOf": [{"enum": known}, schema]}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    for path, methods in raw_schema["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                known = values(parameter["name"], path, method)
                parameter["schema"] = narrowed(parameter["name"], parameter["schema"], known)
    for schema in raw_schema["components"]["schemas"].values():
        narrow_fields(schema)


def narrow_fields(schema):
    """Fields of bodies. What is text in an answer stays so, as text remains among the choices."""
    for name, field in schema.get("properties", {}).items():
        if field == {"type": "string"}:
            schema["properties"][name] = narrowed(name, field, KNOWN.get(f".{name}"))
        narrow_fields(field)
    if "items" in schema:
        narrow_fields(schema["items"])
