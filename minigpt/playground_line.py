"""How what the page asks gets a thread: only so many at a time, and only so many may wait.

The threads of a server are few, and the API needs some of them, too.
"""

import asyncio
import json

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from minigpt.api_errors import unavailable

MOST_AT_ONCE, MOST_WAITING = 4, 60  # requests


class Line:
    """Where requests wait for a thread: MOST_AT_ONCE are worked on, MOST_WAITING may wait."""

    def __init__(self):
        self.turn, self.length = asyncio.Semaphore(MOST_AT_ONCE), 0

    async def run(self, work, *args):
        """Return what `work` returns in a thread; raise ApiError (503) where too many wait."""
        if self.length == MOST_AT_ONCE + MOST_WAITING:
            raise unavailable("too many ask for what the page shows; try again soon")
        self.length += 1
        try:
            async with self.turn:
                return await run_in_threadpool(work, *args)
        finally:
            self.length -= 1


def in_thread(function, places, line):
    """Return an endpoint: what `function` makes of a request, its body and the models, as JSON."""

    def work(request, body, models):
        # in ASCII: text from the web may hold half a surrogate pair, which UTF-8 cannot write
        value = function(request, body, models)
        return json.dumps(value, allow_nan=False, separators=(",", ":"))

    async def respond(request):
        body, models = await request.body(), dict(places.models)  # which is changed in this thread
        content = await line.run(work, request, body, models)
        return Response(content, 200, {"Cache-Control": "no-store"}, "application/json")

    return respond
