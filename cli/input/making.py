"""Objects made from flags: what `create KIND`, `run` and `expose` send. JSON trees; Pure module."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import click

Tree = dict[str, Any]


def namespace(name: str) -> Tree:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def service_account(name: str) -> Tree:
    """A ServiceAccount."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def config_map(name: str, data: dict[str, bytes]) -> Tree:
    """A ConfigMap; what is no UTF-8 goes into binaryData."""
    tree: Tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    for key, value in data.items():
        try:
            tree.setdefault("data", {})[key] = value.decode()
        except UnicodeDecodeError:
            tree.setdefault("binaryData", {})[key] = base64.b64encode(value).decode()
    return {key: value for key, value in tree.items() if value}


def secret(name: str, data: dict[str, bytes], type_: str = "Opaque") -> Tree:
    """A Secret."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    metadata = {"name": name}
    tree: Tree = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_}
    return {**tree, "data": encoded} if encoded else tree


def deployment(
    name: str, images: Iterable[str], replicas: int, port: int | None, command: list[str]
) -> Tree:
    """A Deployment of one container an image, labelled app=NAME."""
    labels = {"app": name}
    containers = [container(_container_name(image), image, port, command) for image in images]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def container(name: str, image: str, port: int | None, command: list[str]) -> Tree:
    """One container. command [] = the image's own."""
    tree: Tree = {"name": name, "image": image}
    if port:
        tree["ports"] = [{"containerPort": port}]
    if command:
        tree["command"] = command
    return tree


def pod(name: str, image: str, labels: dict[str, str], restart: str) -> Tree:
    """A Pod of one container named like it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"run": name}},
        "spec": {"containers": [{"name": name, "image": image}], "restartPolicy": restart},
    }


def service(name: str, selector: dict[str, str], ports: list[Tree], type_: str) -> Tree:
    """A Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector, "ports": ports, "type": type_},
    }


def service_port(text: str) -> Tree:
    """A --tcp flag: "80" or "80:8080". Raises click.UsageError."""
    port, _, to = text.partition(":")
    if not port.isdecimal() or (to and not to.replace("-", "").isalnum()):
        raise click.UsageError(f'--tcp: "{text}" is not PORT or PORT:TARGETPORT')
    target: int | str = int(to) if to.isdecimal() else to or int(port)
    return {"name": text.replace(":", "-"), "port": int(port), "targetPort": target}


def pairs(words: Iterable[str], flag: str) -> dict[str, str]:
    """KEY=VALUE words as a map. Raises click.UsageError naming the flag."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            raise click.UsageError(f'{flag}: "{word}" is not KEY=VALUE')
        found[key] = value
    return found


def _container_name(image: str) -> str:
    """kubectl's rule: the image's last part without tag and digest."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0].replace("_", "-")
