"""The one runtime of a process: lease, log writer, runner, hub and simulator, started and stopped together."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone

from chatapp.live.child import SimulatorChild
from chatapp.live.hub import Hub
from chatapp.live.lease import LeaseKeeper
from chatapp.live.log import LogWriter
from chatapp.live.runner import Runner
from chatapp.turns.connections import AdapterPool, use_simulator, wants_simulator, warm_up
from chatapp.turns.engine import Engine
from chatapp.turns.feed import Feed
from chatapp.turns.hop import hop
from chatapp.vocab.events import Frame

log = logging.getLogger(__name__)

NEWS_GROUP = "stet.news"


class Runtime:
    """Started by `manage.py serve`, or under another server at its first request; once per event loop.

    `running` False: nothing here runs turns, but rows may be saved; another process finds them.
    """

    def __init__(self) -> None:
        self.running = False
        self.draining = False
        self.hub: Hub
        self.runner: Runner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._child: SimulatorChild | None = None
        self._starting = asyncio.Lock()

    async def start(self, pace: str = "demo") -> None:
        """Start everything; does nothing where it runs already. Raises `lease.SecondProcess`."""
        async with self._starting:
            if self.running:
                return
            self._loop = asyncio.get_running_loop()
            self.draining = False
            self._adapters = AdapterPool()
            self._keeper = LeaseKeeper(timezone.now, self._from_thread(self._lost), self._from_thread(self.news))
            await hop(self._keeper.start)
            if wants_simulator():
                self._child = SimulatorChild(pace)
                ready = await self._child.start()
                use_simulator({"openai": ready["openai_base_url"], "anthropic": ready["anthropic_base_url"]})
            self._writer = LogWriter(self._from_thread(self.announce))
            self._writer.start()
            self.hub = Hub(timezone.now, self._writer.feed)
            self.runner = Runner(Engine(self._adapters, timezone.now), self._lease_id, self._turn_started)
            self.running = True
            self._spawn(asyncio.to_thread(warm_up))
            self._spawn(self.hub.run())
            self._spawn(self.hub.check_sessions())
            self._runner_task = asyncio.create_task(self.runner.run())
            if settings.REDIS_URL:
                self._spawn(self._listen())

    async def drain(self, seconds: float) -> None:
        """Claim nothing new, let running turns finish for so long, then end them as interrupted."""
        if self.running and not self.draining:
            self.draining = True
            await self.runner.drain(seconds)

    async def stop(self) -> None:
        """End everything that was started. Turns that still run are ended as interrupted."""
        if not self.running:
            return
        await self.drain(0)
        self.running = False
        await self._runner_task
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await asyncio.to_thread(self._writer.stop)
        await hop(self._keeper.stop)
        await self._adapters.aclose()
        if self._child:
            use_simulator(None)
            await self._child.stop()
            self._child = None

    def news(self) -> None:
        """Rows have changed: look for work and for news, here and elsewhere. In the event loop."""
        if self.running:
            self.runner.wake()
            self.hub.wake()
            self.announce()

    def news_from_thread(self) -> None:
        """The same, from a view's thread; without a runtime in this process, others find the rows by looking."""
        if self.running and self._loop:
            self._loop.call_soon_threadsafe(self.news)

    def announce(self) -> None:
        """Tell other processes that there is something to read. In the event loop."""
        if settings.REDIS_URL:
            self._spawn(self._announce())

    def stop_turn_from_thread(self, turn_id: Any) -> None:
        """Stop a turn if it runs here, from a view's thread."""
        if self.running and self._loop:
            self._loop.call_soon_threadsafe(self.runner.stop_turn, turn_id)

    def _lease_id(self) -> Any:
        assert self._keeper.lease is not None
        return self._keeper.lease.pk

    def _turn_started(self, feed: Feed, added: Frame) -> None:
        self._writer.add(feed)
        self.hub.started(feed, added)

    def _lost(self) -> None:
        self.runner.lose_all()

    def _from_thread(self, function: Any) -> Any:
        loop = self._loop
        assert loop is not None

        def call() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(function)

        return call

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            log.error("a task of the runtime ended by a fault", exc_info=task.exception())

    async def _announce(self) -> None:
        try:
            await get_channel_layer().group_send(NEWS_GROUP, {"type": "stet.news"})
        except Exception:
            log.warning("Redis cannot be reached; other processes look by themselves every second")

    async def _listen(self) -> None:
        """Hear that another process has written something, and look."""
        while True:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(NEWS_GROUP, channel)
                while True:
                    await layer.receive(channel)
                    self.hub.wake()
            except Exception:
                log.warning("Redis cannot be reached; looking every second instead")
                await asyncio.sleep(5)


runtime = Runtime()
