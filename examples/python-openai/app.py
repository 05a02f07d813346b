"""A support app with three features and four customers, instrumented by OpenTelemetry's own OpenAI instrumentation.

Nothing here knows marginlake. `opentelemetry-instrument` (see run.sh) patches the `openai` client, and the environment says
where the telemetry goes. The one thing a library cannot know is for whom a call is made: `on_behalf_of` says it once, on a
span around the work, and the calls inside inherit it.
"""

from contextlib import contextmanager

from openai import OpenAI
from opentelemetry import trace

tracer = trace.get_tracer("support-app")
client = OpenAI()  # reads OPENAI_BASE_URL and OPENAI_API_KEY

# Long enough for the provider's prefix cache: from the second turn on, most of the input costs a tenth.
HANDBOOK = "You help customers of a small shop. Be brief, be kind, and never promise what the warehouse has not confirmed. " * 40
LOOK_UP_ORDER = {
    "type": "function",
    "function": {
        "name": "look_up_order",
        "description": "State of an order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    },
}


@contextmanager
def on_behalf_of(customer: str, user: str, feature: str, conversation: str):
    """A span that says who pays (`customer.id`), who asks (`user.id`), what for (`feature`) and in which conversation."""
    attributes = {"customer.id": customer, "user.id": user, "feature": feature, "session.id": conversation}
    with tracer.start_as_current_span(feature, attributes=attributes):
        yield


def support_agent(question: str) -> str:
    """An agent loop: the model asks for a tool, the tool answers, the model answers. Every turn is a call that costs."""
    messages = [{"role": "system", "content": HANDBOOK}, {"role": "user", "content": question}]
    while True:
        response = client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=[LOOK_UP_ORDER])
        message = response.choices[0].message
        report(response.model, response.usage)
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            with tracer.start_as_current_span("execute_tool look_up_order"):
                messages.append({"role": "tool", "tool_call_id": call.id, "content": "shipped, arrives tomorrow"})


def streamed_summary(text: str) -> str:
    """A streamed call. `include_usage` is what makes the provider, and so the telemetry, say what it used."""
    messages = [{"role": "system", "content": HANDBOOK}, {"role": "user", "content": text}]
    options = {"include_usage": True}
    stream = client.chat.completions.create(model="gpt-4.1-mini", messages=messages, stream=True, stream_options=options)
    words = []
    for chunk in stream:
        words += [choice.delta.content or "" for choice in chunk.choices]
        if chunk.usage:
            report(chunk.model, chunk.usage)
    return "".join(words)


def index_documents(texts: list[str]) -> None:
    response = client.embeddings.create(model="text-embedding-3-small", input=texts)
    report(response.model, response.usage)


def route(question: str) -> None:
    """A model nobody publishes a price for: it appears as unpriced until marginlake.toml says what it costs."""
    response = client.chat.completions.create(model="acme-router-7b", messages=[{"role": "user", "content": question}])
    report(response.model, response.usage)


def report(model: str, usage) -> None:
    details = getattr(usage, "prompt_tokens_details", None)
    cached = details.cached_tokens if details else 0
    output = getattr(usage, "completion_tokens", 0)
    print(f"{model:<24} input {usage.prompt_tokens:>6}  of which cached {cached:>6}  output {output:>5}")


def main() -> None:
    for turn, question in enumerate(["Where is my order A-1042?", "And can I change the address?"], start=1):
        with on_behalf_of("acme", "ann", "support-chat", f"acme-{turn}"):
            support_agent(question)
    with on_behalf_of("globex", "bob", "support-chat", "globex-1"):
        support_agent("My order A-1042 has not come yet.")
    with on_behalf_of("globex", "bob", "summary", "globex-2"):
        streamed_summary("A long thread between a customer and our warehouse. " * 30)
    with on_behalf_of("initech", "cid", "search", "initech-1"):
        index_documents([f"Help page {page}: how to return, exchange and track an order." for page in range(20)])
    with on_behalf_of("hooli", "dee", "support-chat", "hooli-1"):
        route("Is this about billing or about shipping?")


if __name__ == "__main__":
    main()
