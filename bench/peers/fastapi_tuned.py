"""FastAPI with all that can be done by hand: its routing, and nothing else of it in the way."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from lean import Refused, Store

app = FastAPI(openapi_url=None)
store = Store()
JSON = "application/json"


@app.exception_handler(Refused)
async def refuse(_request: Request, refused: Refused) -> Response:
    return Response(b'{"error":"refused"}', refused.args[0], media_type=JSON)


def base(request: Request) -> str:
    return f"http://{request.headers['host']}"


def who(request: Request) -> str | None:
    return request.headers.get("authorization")


@app.get("/tasks/{id}")
async def read_task(request: Request) -> Response:
    body = store.one(who(request), request.path_params["id"], base(request))
    return Response(body, media_type=JSON)


@app.get("/tasks")
async def read_tasks(request: Request) -> Response:
    asked = request.query_params
    page = store.page(
        who(request), int(asked.get("limit", 50)), asked.get("cursor", ""), base(request)
    )
    return Response(page, media_type=JSON)


@app.post("/tasks")
async def create_task(request: Request) -> Response:
    made, url = store.add(who(request), await request.body(), base(request))
    return Response(made, 201, {"Location": url}, JSON)


@app.put("/tasks/{id}")
async def replace_task(request: Request) -> Response:
    body = await request.body()
    made = store.change(who(request), request.path_params["id"], body, base(request))
    return Response(made, media_type=JSON)


@app.post("/oauth/token")
async def token(request: Request) -> Response:
    return Response(store.token(who(request)), media_type=JSON)


@app.get("/health/live")
async def live(request: Request) -> Response:
    return Response(b'{"status":"ok"}', media_type=JSON)
