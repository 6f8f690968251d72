"""Gives schemathesis names of things that exist, so that its requests get past the front door.

Only the description that requests are made from is changed. Beside the names of a path stand some
of nothing, beside those of a body any text; but for the project, as another one is refused before
anything is looked at.
"""

import json
import os

import schemathesis

# What there is on the server: a list of values by the name of a parameter or field.
KNOWN = json.loads(os.environ["SCHEMA_KNOWN"])

# Names of nothing.
STRANGE = ["nowhere", "\u00e4 %/?"]

# What ends or empties a graph works on graphs made for that.
RUINOUS = ("/start", "/stop", "/restart", "/clear-graph", "/import-graph", "/upgrade", "/resize")


def values(name, path, method):
    if path.startswith("/v3"):
        # The caller must not change or remove itself.
        return KNOWN.get(name if method == "get" or name == "domain" else f"expendable_{name}")
    if name == "graph" and path.startswith("/ges/"):
        name = "graph_name"
    elif name == "graph" and (path.endswith(RUINOUS) or (method == "delete" and path.endswith("{graph}"))):
        name = "expendable_graph"
    elif name == "backup" and method == "delete":
        name = "expendable_backup"
    return KNOWN.get(name)


def narrowed(name, known):
    return {"enum": known if name.startswith("project") else known + STRANGE}


@schemathesis.hook
def before_load_schema(context, raw_schema):
    for path, methods in raw_schema["paths"].items():
        for method, operation in methods.items():
            for parameter in operation["parameters"]:
                if known := values(parameter["name"], path, method):
                    parameter["schema"] = narrowed(parameter["name"], known)
    for schema in raw_schema["components"]["schemas"].values():
        narrow_fields(schema)


def narrow_fields(schema):
    """Fields of bodies. What is text in an answer stays so, as text remains among the choices."""
    for name, field in schema.get("properties", {}).items():
        if field == {"type": "string"} and f".{name}" in KNOWN:
            schema["properties"][name] = {"anyOf": [{"enum": KNOWN[f".{name}"]}, field]}
        narrow_fields(field)
    if "items" in schema:
        narrow_fields(schema["items"])
