"""Create, Update, Delete, DeleteCollection and Batch: requests to intents, answers to replies."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.api.errors import ApiError, Reason
from holdfast.api.identity import ADMINS, Identity
from holdfast.api.rpc.v1 import resources_pb2
from holdfast.control.cache import Cache
from holdfast.control.eventshare import EventShare
from holdfast.control.registry import Done, Intent, Registry, Verb
from holdfast.control.registry.preparation import key_of
from holdfast.control.rpc.doors import allow
from holdfast.control.rpc.limits import BATCH_WRITES_MAX
from holdfast.control.rpc.objects import requests
from holdfast.control.rpc.objects.reading import Reader, shown
from holdfast.control.rpc.objects.selection import Selection

EVENTS = "events"
EVENTS_AGAIN_S = 10
TOO_MANY_EVENTS = ApiError(
    Reason.TOO_MANY_REQUESTS,
    "more events than their share of all writes",
    retry_after_s=EVENTS_AGAIN_S,
)
"""For nodes' events that ride in batches. Whoever hears it tells nothing but warnings that long."""


UNSETTLED = (Reason.NOT_LEADER, Reason.UNKNOWN_OUTCOME)
"""Leadership was lost on the way: the same request, sent again to the next leader, is settled."""


class Writer:
    """The writing methods of the Resources service."""

    def __init__(
        self, registry: Registry, cache: Cache, reader: Reader, event_share: EventShare
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._reader = reader
        self._event_share = event_share

    async def create(
        self, request: resources_pb2.CreateRequest, identity: Identity
    ) -> resources_pb2.ObjectReply:
        """A new object, or the binding of a pod."""
        intent = self.allowed(identity, "create", requests.creation(request))
        return await self.write(intent, identity, request.options)

    async def update(
        self, request: resources_pb2.UpdateRequest, identity: Identity
    ) -> resources_pb2.ObjectReply:
        """An object, or a part of it, written over."""
        intent = self.allowed(identity, "update", requests.update(request))
        return await self.write(intent, identity, request.options)

    async def delete(
        self, request: resources_pb2.DeleteRequest, identity: Identity
    ) -> resources_pb2.ObjectReply:
        """An object deleted, or told to end."""
        intent = requests.deletion(
            request.resource, request.namespace, request.name, request.options
        )
        intent = self.allowed(identity, "delete", intent)
        return await self.write(intent, identity, request.options.write)

    async def delete_collection(
        self, request: resources_pb2.DeleteCollectionRequest, identity: Identity
    ) -> resources_pb2.DeleteCollectionReply:
        """Everything that is selected, each object once, by its uid."""
        selection = Selection(request)
        self._reader.allow(identity, "deletecollection", selection)
        one = requests.deletion(request.resource, "", "", request.options)
        if one.uid or one.expect_revision is not None:
            message = "preconditions are of one object: delete it by name"
            raise ApiError(Reason.BAD_REQUEST, message)
        intents = [
            one._replace(
                namespace=entry.key.namespace,
                name=entry.key.name,
                uid=entry.message.metadata.uid,
            )
            for entry in self._reader.candidates(selection)
            if selection.matches(entry.message)
        ]
        options = request.options.write
        answers = await self._registry.commit(
            intents, identity, dry_run=options.dry_run, field_manager=options.field_manager
        )
        done = [answer for answer in answers if isinstance(answer, Done)]
        for answer in answers:
            if isinstance(answer, ApiError) and answer.reason is not Reason.NOT_FOUND:
                raise answer
        revision = max((answer.revision for answer in done), default=self._cache.revision)
        return resources_pb2.DeleteCollectionReply(deleted=len(done), revision=revision)

    async def batch(
        self, request: resources_pb2.BatchRequest, identity: Identity
    ) -> resources_pb2.BatchReply:
        """Many writes, each with its own outcome."""
        if len(request.writes) > BATCH_WRITES_MAX:
            message = f"a batch has at most {BATCH_WRITES_MAX} writes, not {len(request.writes)}"
            raise ApiError(Reason.BAD_REQUEST, message)
        request_id = request.options.request_id
        admin = ADMINS in identity.groups
        items = [self._item(write, identity, admin=admin) for write in request.writes]
        refused = [item for item in items if isinstance(item, ApiError)]
        if request.atomic and refused:
            answers: Sequence[Done | ApiError] = [refused[0]] * len(items)
        else:
            answers = await self._commit_items(items, identity, request)
        for answer in answers:
            if isinstance(answer, ApiError) and answer.reason in UNSETTLED and request_id:
                raise answer  # of the whole: the repeat tells what was done already
        reply = resources_pb2.BatchReply(revision=self._cache.revision)
        for write, answer in zip(request.writes, answers, strict=True):
            requests.tell(reply.outcomes.add(), write, answer)
        return reply

    async def write(
        self, intent: Intent, identity: Identity, options: resources_pb2.WriteOptions
    ) -> resources_pb2.ObjectReply:
        """Commit one intent. Raises ApiError when it is refused."""
        answers = await self._registry.commit(
            [intent],
            identity,
            request_id=options.request_id,
            dry_run=options.dry_run,
            field_manager=options.field_manager,
        )
        answer = answers[0]
        if isinstance(answer, ApiError):
            raise answer
        reply = resources_pb2.ObjectReply(revision=answer.revision)
        if answer.entry is not None:
            reply.object = shown(answer.entry, intent.subresource)
        return reply

    async def _commit_items(
        self,
        items: Sequence[Intent | ApiError],
        identity: Identity,
        request: resources_pb2.BatchRequest,
    ) -> Sequence[Done | ApiError]:
        options = request.options
        told = iter(
            await self._registry.commit(
                [item for item in items if isinstance(item, Intent)],
                identity,
                atomic=request.atomic,
                request_id=options.request_id,
                dry_run=options.dry_run,
                field_manager=options.field_manager,
            )
        )
        return [item if isinstance(item, ApiError) else next(told) for item in items]

    def _item(
        self, write: resources_pb2.BatchWrite, identity: Identity, *, admin: bool
    ) -> Intent | ApiError:
        told = not admin and write.resource == EVENTS
        if told and not self._event_share.admit():  # before any work is done for it
            return TOO_MANY_EVENTS
        try:
            intent = requests.batched(write)
            return intent if admin else self.allowed(identity, str(intent.verb), intent)
        except ApiError as error:
            return error

    def allowed(self, identity: Identity, verb: str, intent: Intent) -> Intent:
        """The intent, if the caller may. Whoever is not an administrator is judged by the object
        that is there, so the intent holds for that incarnation of it only."""
        if ADMINS in identity.groups:
            return intent
        key = key_of(intent)
        there = self._cache.get(*key)
        old = None if there is None else there.message
        allow(
            identity,
            verb,
            intent.resource,
            namespace=key.namespace,
            name=key.name,
            subresource=intent.subresource,
            old=old,
            new=intent.message,
            view=self._cache,
        )
        if old is None or intent.uid or intent.verb is Verb.CREATE:
            return intent
        return intent._replace(uid=old.metadata.uid)
