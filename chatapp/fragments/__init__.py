"""Rows to what templates show: the only place that decides what a page says of a conversation.

Serves pages and the fragments they fetch; sockets carry JSON (`chatapp.live.frames`). How numbers are said is
`chatapp.wording`'s business.
"""

from chatapp.fragments.ledger import ledger_view, sums_view
from chatapp.fragments.page import account_view, first_choice, page_context, sidebar_groups
from chatapp.fragments.turns import foot_view, transcript, turn_view

__all__ = [
    "account_view",
    "first_choice",
    "foot_view",
    "ledger_view",
    "page_context",
    "sidebar_groups",
    "sums_view",
    "transcript",
    "turn_view",
]
