"""A stand-in for the OpenAI API, so that the example runs without a key and without the internet.

It answers `/v1/chat/completions` (plain, with tools, streamed) and `/v1/embeddings` in the API's own shape. The answers are
canned; the token counts are a fixed function of the request, so that every run reports the same usage (only the response ids differ):

- four characters are one token;
- everything before the last message counts as cached, as it would on a warm prefix cache: from 1024 tokens on, in steps of 128;
- models whose name starts with `gpt-5` think, and 64 of their output tokens are reasoning.

It is no model of how a real tokenizer counts, and it checks no key.
"""

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREATED = 1_790_000_000


def tokens(text: str) -> int:
    return max(1, len(text) // 4)


def message_tokens(message: dict) -> int:
    content = message.get("content") or ""
    calls = json.dumps(message["tool_calls"], sort_keys=True) if message.get("tool_calls") else ""
    return tokens(content + calls) + 4


def chat_usage(model: str, messages: list[dict], answer: str) -> dict:
    prompt = sum(message_tokens(message) for message in messages)
    prefix = sum(message_tokens(message) for message in messages[:-1])
    cached = prefix // 128 * 128 if prefix >= 1024 else 0
    reasoning = 64 if model.startswith("gpt-5") else 0
    completion = tokens(answer) + reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }


def chat_message(request: dict) -> tuple[dict, str]:
    """The assistant's next message and its finish reason: one round of tools, then an answer."""
    asked_a_tool = any(message["role"] == "tool" for message in request["messages"])
    if request.get("tools") and not asked_a_tool:
        function = {"name": request["tools"][0]["function"]["name"], "arguments": '{"order_id": "A-1042"}'}
        call = {"id": "call_0001", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    text = "Your order A-1042 left our warehouse on Monday and arrives tomorrow. Is there anything else I can do?"
    return {"role": "assistant", "content": text}, "stop"


def answer_text(message: dict) -> str:
    return message["content"] or json.dumps(message["tool_calls"], sort_keys=True)


class StandIn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        # Each answer has its own id, as the API's do: two records with one response id are one call, reported twice.
        call_id = uuid.uuid4().hex
        if self.path == "/v1/embeddings":
            return self.send_json(self.embeddings(request))
        if self.path != "/v1/chat/completions":
            return self.send_json({"error": {"message": f"no such path: {self.path}", "type": "invalid_request_error"}}, 404)
        message, finish_reason = chat_message(request)
        usage = chat_usage(request["model"], request["messages"], answer_text(message))
        head = {"id": f"chatcmpl-{call_id}", "created": CREATED, "model": request["model"], "service_tier": "default"}
        if request.get("stream"):
            return self.send_stream(request, head, message, finish_reason, usage)
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        return self.send_json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def embeddings(self, request: dict) -> dict:
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        count = sum(tokens(text) for text in texts)
        data = [{"object": "embedding", "index": at, "embedding": [0.0] * 8} for at in range(len(texts))]
        usage = {"prompt_tokens": count, "total_tokens": count}
        return {"object": "list", "model": request["model"], "data": data, "usage": usage}

    def send_stream(self, request: dict, head: dict, message: dict, finish_reason: str, usage: dict) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        head = {**head, "object": "chat.completion.chunk"}
        for word in answer_text(message).split(" "):
            self.send_event({**head, "choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]})
        self.send_event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
        # Without include_usage a stream ends without a word about tokens, and nobody downstream can know its cost.
        if (request.get("stream_options") or {}).get("include_usage"):
            self.send_event({**head, "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def send_event(self, event: dict) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def send_json(self, answer: dict, status: int = 200) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing: the terminal belongs to the app."""


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    server = ThreadingHTTPServer(("127.0.0.1", port), StandIn)
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
