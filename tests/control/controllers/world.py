"""A cluster in memory for controllers: real cache, registry and state machine, no disk, no tasks.

`settle` runs controllers until nothing is left to do, in an order drawn from a seed, with a
stand-in for the node agents. Time moves only when a test moves `now`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from holdfast.api import codec, kinds
from holdfast.api.apps.v1 import apps_pb2 as apps
from holdfast.api.core.v1 import core_pb2 as core
from holdfast.api.errors import ApiError
from holdfast.api.identity import ADMINS, Identity
from holdfast.control.cache import Cache, Entry, EventType, Update
from holdfast.control.controllers.decisions import Controller, Decision, Key
from holdfast.control.notes import Note
from holdfast.control.registry import Ids, Intent, Registry, Verb, bootstrap
from holdfast.control.store.commands import Commit, Result
from holdfast.control.store.engine import Listener
from holdfast.control.store.state import State

ADMIN = Identity("admin", (ADMINS,))
START = 1_800_000_000.0
STEPS_MAX = 5000


class MemoryEngine:
    """The state machine without a log."""

    def __init__(self) -> None:
        self.state = State()
        self._listeners: list[Listener] = []

    @property
    def revision(self) -> int:
        return self.state.position.revision

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def on_reset(self, _reset: object) -> None:
        """It never receives a snapshot."""

    async def commit(self, commit: Commit) -> Result:
        applied = self.state.apply(1, commit)
        if applied.changes:
            for listener in self._listeners:
                listener(applied.changes)
        assert applied.result is not None
        return applied.result


class World:
    """The cluster. told: notes of the writes that were done, as (reason, message). meanwhile:
    called between each decision and its commit, for what others write just then."""

    def __init__(self, seed: int = 1) -> None:
        self.now = START
        self.rng = random.Random(seed)
        self.engine: Any = MemoryEngine()
        self.cache = Cache(self.engine, verify=True)
        ids = Ids(random.Random(seed))
        self.registry = Registry(self.engine, self.cache, lambda: self.now, ids)
        self.told: list[tuple[str, str]] = []
        self.refusals: list[ApiError] = []
        self.again_at: dict[tuple[int, Key], float] = {}
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self._controllers: list[Controller] = []
        self._keys: list[dict[Key, None]] = []
        for kind in kinds.all_kinds():
            if kind.built:
                self.cache.subscribe(kind.resource, self._heard)

    async def boot(self) -> World:
        await bootstrap(self.registry)
        return self

    def start(self, *controllers: Controller) -> None:
        """Run these controllers from now on; the ones before are gone, with all they knew."""
        self._controllers = list(controllers)
        self._keys = [{} for _ in controllers]
        self.again_at.clear()
        for controller in controllers:
            for resource in controller.triggers:
                for entry in self.cache.list(resource):
                    update = Update(EventType.ADDED, None, entry, entry.revision)
                    self._tell(resource, update, only=controller)

    def _heard(self, updates: Sequence[Update]) -> None:
        for update in updates:
            entry = update.new or update.old
            assert entry is not None
            self._tell(entry.key.resource, update)

    def _tell(self, resource: str, update: Update, only: Controller | None = None) -> None:
        for controller, keys in zip(self._controllers, self._keys, strict=True):
            trigger = controller.triggers.get(resource)
            if trigger is not None and only in (None, controller):
                keys.update(dict.fromkeys(trigger(self.cache, update)))

    async def step(self) -> bool:
        """Reconcile one key. False when none is left."""
        ready = [i for i, keys in enumerate(self._keys) if keys]
        if not ready:
            return False
        index = self.rng.choice(ready)
        key = self.rng.choice(list(self._keys[index]))
        del self._keys[index][key]
        decision = self._controllers[index].reconcile(self.cache, key, self.now)
        await self._carry_out(index, key, decision)
        self.cache.verify()
        return True

    async def _carry_out(self, index: int, key: Key, decision: Decision) -> None:
        self.again_at.pop((index, key), None)
        if decision.again_at is not None:
            if decision.again_at <= self.now:
                self._keys[index][key] = None
            else:
                self.again_at[index, key] = decision.again_at
        if self.meanwhile is not None and decision.orders:
            await self.meanwhile()
        answers = await self.registry.commit(decision.intents, ADMIN)
        for order, answer in zip(decision.orders, answers, strict=True):
            note: Note | None = order.done
            if isinstance(answer, ApiError):
                self.refusals.append(answer)
                self._keys[index][key] = None
            elif note is not None:
                name = answer.entry.key.name if answer.entry else order.intent.name
                self.told.append((note.news.reason, note.news.message.replace("{name}", name)))

    async def settle(self, *, agents: bool = True, check: Callable[[], None] | None = None) -> None:
        """Run until quiet. agents: bind pods, run them, and end those that are deleted."""
        for _ in range(STEPS_MAX):
            worked = await self.step()
            if agents and (not worked or self.rng.random() < 0.3):
                worked = await self.agents() or worked
            if check is not None:
                check()
            if not worked:
                return
        raise AssertionError("the controllers do not come to rest")

    async def wait(self, seconds: float) -> None:
        """Let time pass, and look again at what asked for it."""
        self.now += seconds
        for (index, key), when in list(self.again_at.items()):
            if when <= self.now:
                del self.again_at[index, key]
                self._keys[index][key] = None
        await self.settle()

    async def agents(self) -> bool:
        """One thing a scheduler or a node agent would do to some pods."""
        intents = []
        for entry in self.cache.list("pods"):
            pod: core.Pod = entry.message
            if not self._answers(pod.spec.nodeName or "n1"):
                continue
            if pod.metadata.HasField("deletionTimestamp"):
                intents.append(Intent(Verb.DELETE, *entry.key, grace_period_s=0))
            elif not pod.spec.nodeName:
                bound = core.Pod(spec=core.PodSpec(nodeName="n1"))
                intents.append(Intent(Verb.UPDATE, *entry.key, bound, "binding"))
            elif pod.status.phase == "Pending" and pod.spec.containers[0].image != "broken":
                intents.append(self.running(entry))
        if intents:
            await self.registry.commit(self.rng.sample(intents, min(7, len(intents))), ADMIN)
        return bool(intents)

    def _answers(self, name: str) -> bool:
        """Whether a node is there and takes pods."""
        node = self.get("nodes", name)
        return node is not None and not node.spec.taints

    def running(self, entry: Entry, ready: str = "True") -> Intent:
        """The write of an agent that says the pod runs."""
        message = core.Pod(status=entry.message.status)
        message.status.phase = "Running"
        message.status.podIP = f"10.244.0.{entry.created % 250 + 1}"
        del message.status.conditions[:]
        condition = message.status.conditions.add(type="Ready", status=ready)
        condition.lastTransitionTime.seconds = int(self.now)
        return Intent(Verb.UPDATE, *entry.key, message, "status")

    async def do(self, *intents: Intent) -> None:
        """Write as a user; nothing may be refused."""
        for answer in await self.registry.commit(intents, ADMIN):
            if isinstance(answer, ApiError):
                raise answer

    async def create(self, resource: str, tree: dict[str, Any]) -> Any:
        """Create an object from its JSON; returns it as stored."""
        message, causes = codec.from_json(kinds.by_resource(resource).message, tree)
        assert not causes, causes
        answer = (
            await self.registry.commit([Intent(Verb.CREATE, resource, "", "", message)], ADMIN)
        )[0]
        if isinstance(answer, ApiError):
            raise answer
        assert answer.entry is not None
        return answer.entry.message

    async def change(
        self, resource: str, name: str, change: Callable[[Any], None], subresource: str = ""
    ) -> None:
        """Change an object as a user would."""
        namespace = "default" if kinds.by_resource(resource).namespaced else ""
        copy = self.copy(resource, name)
        change(copy)
        await self.do(Intent(Verb.UPDATE, resource, namespace, name, copy, subresource))

    async def delete(self, resource: str, name: str, **how: Any) -> None:
        namespace = "default" if kinds.by_resource(resource).namespaced else ""
        await self.do(Intent(Verb.DELETE, resource, namespace, name, **how))

    def get(self, resource: str, name: str) -> Any:
        namespace = "default" if kinds.by_resource(resource).namespaced else ""
        entry = self.cache.get(resource, namespace, name)
        return entry.message if entry else None

    def copy(self, resource: str, name: str) -> Any:
        message = self.get(resource, name)
        copy = type(message)()
        copy.CopyFrom(message)
        return copy

    def all(self, resource: str, namespace: str = "default") -> list[Any]:
        return [entry.message for entry in self.cache.list(resource, namespace)]

    async def node(self, name: str = "n1", ready: str = "True") -> None:
        """A node that says whether it is ready."""
        await self.create("nodes", {"metadata": {"name": name}})
        await self.ready(name, ready)

    async def ready(self, name: str, status: str) -> None:
        def say(node: core.Node) -> None:
            del node.status.conditions[:]
            condition = node.status.conditions.add(type="Ready", status=status)
            condition.lastTransitionTime.seconds = int(self.now)

        await self.change("nodes", name, say, "status")


def template(image: str = "web:1", **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }


def replica_set(name: str = "web", replicas: int = 3, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            **spec,
        },
    }


def deployment(replicas: int = 3, **spec: Any) -> dict[str, Any]:
    return replica_set("web", replicas, **spec)


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "web:1"}], **spec},
    }


def owned_by(owner: Any, api_version: str, kind: str, **more: Any) -> dict[str, Any]:
    """An owner reference in JSON."""
    meta = owner.metadata
    return {"apiVersion": api_version, "kind": kind, "name": meta.name, "uid": meta.uid, **more}


def sizes(world: World) -> dict[str, int]:
    """Replicas asked for by set, those with none left out."""
    sets: list[apps.ReplicaSet] = world.all("replicasets.apps")
    return {each.metadata.name: each.spec.replicas for each in sets if each.spec.replicas}
