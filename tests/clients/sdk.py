"""The official Python SDK, every answer of which is held against the types that it declares."""

import inspect
import json
import re

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkges.v2 import GesClient, model

from gestalt import until

# The SDK says text, but the Terraform provider crashes on anything but an object.
DELIBERATE = {("ShowGraphRespGraph", "public_ip"), ("ListGraphsRespGraphs", "public_ip")}

SCALARS = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def operations():
    """The names of all operations that the SDK has."""
    is_operation = re.compile(r"(?!_|new_builder|call_api|do_http_request|with_|init_|get_|preset)\w+(?<!_invoker)$")
    own = inspect.getmembers(GesClient, inspect.isfunction)
    return {name for name, _ in own if is_operation.match(name) and hasattr(GesClient, f"{name}_invoker")}


class Ges:
    """Calls operations by the fields of their requests, and remembers which."""

    def __init__(self, endpoint, credentials, called=None):
        self.client = GesClient.new_builder().with_credentials(credentials).with_endpoints([endpoint]).build()
        self.called = set() if called is None else called

    def __getattr__(self, name):
        operation = getattr(self.client, name)
        request = getattr(model, "".join(part.capitalize() for part in name.split("_")) + "Request")

        def call(**fields):
            self.called.add(name)
            answer = operation(request(**fields))
            assert answer.status_code == 200, answer
            raw = json.loads(answer.raw_content)
            if "body" not in answer.openapi_types:
                wrong = list(mistyped(type(answer).__name__, raw, name))
                assert not wrong, wrong
            return answer

        return call

    def finish(self, graph, answer, status="success"):
        """Follows the job that an answer names, as users of the SDK do: there is no helper for it."""
        ended = lambda job: job.status in ("success", "failed") and job
        job = until(
            f"job {answer.job_id}",
            lambda: ended(self.show_job2(graph_id=graph, job_id=answer.job_id)),
        )
        assert job.status == status, job
        return job

    def create(self, name, **fields):
        """Creates a graph and waits until it runs."""
        fields = {"graph_size_type_index": "2", "vpc_id": "vpc", "subnet_id": "subnet"} | fields
        fields = {"security_group_id": "group", "crypt_algorithm": "generalCipher", "enable_https": False} | fields
        body = model.CreateGraphReq(graph=model.CreateGraphReqGraph(name=name, **fields))
        created = self.create_graph2(body=body)
        assert created.name == name
        until(f"graph {name}", lambda: self.show_graph2(graph_id=created.id).graph.status == "200")
        return created.id


def mistyped(type_name, value, place):
    """What is not of its declared type. The SDK itself would make text or numbers of it and say nothing."""
    if value is None:
        return
    if item := re.fullmatch(r"list\[(.+)]", type_name):
        if not isinstance(value, list):
            yield f"{place}: not a list: {value!r}"
            return
        for index, element in enumerate(value):
            yield from mistyped(item[1], element, f"{place}[{index}]")
    elif item := re.fullmatch(r"dict\(str, (.+)\)", type_name):
        for key, element in value.items():
            yield from mistyped(item[1], element, f"{place}.{key}")
    elif type_name in SCALARS:
        is_flag = isinstance(value, bool)
        if not isinstance(value, SCALARS[type_name]) or (is_flag and type_name != "bool"):
            yield f"{place}: not {type_name}: {value!r}"
    else:
        if not isinstance(value, dict):
            yield f"{place}: not an object: {value!r}"
            return
        for key, field_type in getattr(model, type_name).openapi_types.items():
            if key in value and (type_name, key) not in DELIBERATE:
                yield from mistyped(field_type, value[key], f"{place}.{key}")


def by_key(credentials):
    """Access and secret key of the first user, and the project."""
    return BasicCredentials(credentials["access_key"], credentials["secret_key"], credentials["project_id"])
