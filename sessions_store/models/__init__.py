"""A file per concept; import from here."""

from sessions_store.models.call import Call
from sessions_store.models.conversation import Conversation
from sessions_store.models.item import Item
from sessions_store.models.lease import ProcessLease
from sessions_store.models.stream_log import StreamLog
from sessions_store.models.turn import Turn
from sessions_store.models.user import User

__all__ = ["Call", "Conversation", "Item", "ProcessLease", "StreamLog", "Turn", "User"]
