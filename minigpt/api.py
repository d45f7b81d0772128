"""The routes of the OpenAI-compatible API, and how an answer is sent.

    GET  /health                what is going on
    GET  /v1/models             the models, and /v1/models/NAME
    POST /v1/chat/completions   an answer of an assistant
    POST /v1/completions        a text that any model goes on with
    POST /v1/tokenize           the tokens of a text or a conversation; vLLM's /tokenize is the same

Bodies are checked in api_requests.py and made in api_replies.py, those of tokens in
api_tokenize.py; who may ask at all is said in api_guard.py. A stream is server-sent events,
`data: {...}`, the last of them `data: [DONE]`.

Source: OpenAI's API reference; WHATWG's HTML standard, "Server-sent events".
"""

import asyncio
import contextlib
import time

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from minigpt.api_echo import echo
from minigpt.api_errors import ApiError, busy, unavailable
from minigpt.api_fields import find_model, read_json
from minigpt.api_guard import say_where
from minigpt.api_replies import ChatReply, CompletionReply, encode_json
from minigpt.api_requests import read_chat, read_completion
from minigpt.api_streams import Wakeups, Writing
from minigpt.api_tokenize import tokens_of
from minigpt.engine import Busy, Closed, TimedOut


class Gone(Exception):
    """The client has gone away."""


class Api:
    """Answers requests about the models of a Shelf."""

    def __init__(self, shelf, max_tokens=2048, timeout_s=120):
        """`max_tokens`, `timeout_s`: that one answer may have, and take."""
        self.shelf, self.max_tokens, self.timeout_s = shelf, max_tokens, timeout_s
        self.closing, self.wakeups, self.writings = False, None, set()
        self.scoring = asyncio.Lock()  # of prompts: a large model's scores take much memory

    def routes(self):
        """Return the routes."""
        return [
            Route("/health", self.health),
            Route("/v1/models", self.models),
            Route("/v1/models/{name}", self.model),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/tokenize", self.tokenize, methods=["POST"]),
            Route("/tokenize", self.tokenize, methods=["POST"]),
        ]

    # ---- small ones ---------------------------------------------------------------------------

    async def health(self, request):
        """Tell what is going on, in numbers."""
        engines = {name: served.engine.stats() for name, served in self.shelf.models.items()}
        return Json({"status": "ok", "models": engines})

    async def models(self, request):
        """List the models."""
        data = [served.json(self.max_tokens) for served in self.shelf.models.values()]
        return Json({"object": "list", "data": data})

    async def model(self, request):
        """Describe a model."""
        served = find_model(self.shelf.models, request.path_params["name"])
        return Json(served.json(self.max_tokens))

    async def tokenize(self, request):
        """Cut a text or a conversation into tokens."""
        body, models = await request.body(), dict(self.shelf.models)
        return await run_in_threadpool(lambda: Json(tokens_of(read_json(body), models)))

    # ---- texts --------------------------------------------------------------------------------

    async def chat(self, request):
        """Answer as the assistant."""
        return await self._answer(request, read_chat, ChatReply)

    async def completions(self, request):
        """Go on with a text."""
        return await self._answer(request, read_completion, CompletionReply)

    async def _answer(self, request, read, reply_class):
        body, models = await request.body(), dict(self.shelf.models)  # others come in this thread
        limits = self.max_tokens, self.timeout_s
        asked = await run_in_threadpool(lambda: read(read_json(body), models, *limits))
        if self.closing:
            raise unavailable("the server is shutting down")
        if self.wakeups is None:
            self.wakeups = Wakeups(asyncio.get_running_loop())
        reply = reply_class(asked, asked.echo and await self._echoes(asked, request))
        try:
            return Answer(self, Writing(asked, self.wakeups), reply)
        except ValueError as error:
            raise ApiError(400, str(error)) from None
        except Exception as error:
            raise as_api_error(error) from None

    async def _echoes(self, asked, request):
        """Return each prompt as it is given back, scored one at a time for all who ask."""
        made, end = [], time.monotonic() + self.timeout_s
        for k in range(len(asked.requests)):
            async with self.scoring:
                if time.monotonic() > end or self.closing or await request.is_disconnected():
                    raise unavailable("the time was over before all prompts were scored")
                made.append(await run_in_threadpool(echo, asked, k))
        return made

    def close(self):
        """Take no more requests, and end what is being written."""
        self.closing = True
        for writing in self.writings:
            writing.stop(unavailable("the server is shutting down"))


class Json(Response):
    """A JSON body."""

    media_type = "application/json"

    def render(self, content):
        return encode_json(content).encode()


class Answer:
    """Sends what is written, as a stream or in one piece; ASGI. What is left of it is cancelled."""

    def __init__(self, api, writing, reply):
        self.api, self.writing, self.reply = api, writing, reply

    async def __call__(self, scope, receive, send):
        self.send = send
        self.api.writings.add(self.writing)
        watcher = asyncio.create_task(self._watch(receive))
        try:
            with self.writing, contextlib.suppress(Gone):
                if self.reply.asked.stream:
                    await self._stream()
                else:
                    await self._whole(scope, receive)
        finally:
            self.api.writings.discard(self.writing)
            watcher.cancel()

    async def _watch(self, receive):
        while (await receive())["type"] != "http.disconnect":
            pass
        self.writing.stop(Gone())

    async def _whole(self, scope, receive):
        try:
            async for round in self.writing.rounds():
                for k, pieces in round:
                    self.reply.add(k, pieces)
        except Gone:
            raise
        except Exception as error:
            raise as_api_error(error) from None
        if self.reply.asked.n_top is None:
            answer = Json(self.reply.whole())
        else:  # up to a hundred thousand numbers: nobody else shall wait for them
            answer = await run_in_threadpool(lambda: Json(self.reply.whole()))
        await answer(scope, receive, self.send)

    async def _stream(self):
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._event(self.reply.start())
        try:
            async for round in self.writing.rounds():
                for k, pieces in round:
                    self.reply.add(k, pieces)
                await self._event(self.reply.chunk())
        except Gone:
            raise
        except Exception as error:
            # the status is sent already: the client finds it in the stream
            await self._event(as_api_error(error).json(), more=False)
            return
        if self.reply.asked.include_usage:
            await self._event(self.reply.usage_chunk())
        await self._send(b"data: [DONE]\n\n", more=False)

    async def _event(self, value, more=True):
        if value is not None:
            await self._send(b"data: %b\n\n" % encode_json(value).encode(), more)

    async def _send(self, body, more):
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


def as_api_error(error):
    """Return what ended an answer as an ApiError."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Busy):
        return busy(error.retry_after_s)
    if isinstance(error, (TimedOut, Closed)):
        return unavailable(str(error))
    say_where(error)
    # a ValueError is of ours and says what is wrong: the model's weights, for example
    said = f": {error}" if isinstance(error, ValueError) else ""
    return ApiError(500, f"the server made a mistake{said}")
