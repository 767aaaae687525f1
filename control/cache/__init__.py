"""Current objects by resource and index, and the watch hub.

`Cache` listens to the engine; `Hub` listens to the cache and serves every watch. What may be
written, and by whom, is decided above (registry, access).
"""

from holdfast.control.cache.cache import Cache
from holdfast.control.cache.entries import Entry, EventType, Update
from holdfast.control.cache.events import Batch, Event
from holdfast.control.cache.hub import Hub
from holdfast.control.cache.watcher import Watcher

__all__ = ["Batch", "Cache", "Entry", "Event", "EventType", "Hub", "Update", "Watcher"]
