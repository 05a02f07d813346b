// A stand-in for the OpenAI API, so that the example runs without a key and without the internet.
//
// It answers /v1/responses, /v1/chat/completions (plain and streamed) and /v1/embeddings in the API's own shape. The
// answers are canned; the token counts are a fixed function of the request (only the response ids differ between runs):
//
// - four characters are one token;
// - everything before the last message counts as cached: from 1024 tokens on, in steps of 128;
// - models whose name starts with `gpt-5` think, and 64 of their output tokens are reasoning.
//
// It is no model of how a real tokenizer counts, and it checks no key.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const CREATED = 1_790_000_000;
const ANSWER = 'Your order A-1042 left our warehouse on Monday and arrives tomorrow. Is there anything else I can do?';

const tokens = (value) => Math.max(1, Math.floor(JSON.stringify(value ?? '').length / 4));

function count(model, messages, answer) {
  const prefix = messages.slice(0, -1).reduce((sum, message) => sum + tokens(message), 0);
  const input = prefix + (messages.length > 0 ? tokens(messages.at(-1)) : 0);
  const reasoning = model.startsWith('gpt-5') ? 64 : 0;
  return { input, cached: prefix >= 1024 ? Math.floor(prefix / 128) * 128 : 0, output: tokens(answer) + reasoning, reasoning };
}

function chatUsage({ input, cached, output, reasoning }) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0 },
  };
}

function responsesUsage({ input, cached, output, reasoning }) {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
  };
}

function responses(request) {
  const items = Array.isArray(request.input) ? request.input : [{ role: 'user', content: request.input }];
  const tool = request.tools?.find((candidate) => candidate.type === 'function');
  const answered = items.some((item) => item.type === 'function_call_output');
  const output =
    tool && !answered
      ? { type: 'function_call', id: `fc_${randomUUID()}`, call_id: 'call_0001', name: tool.name, arguments: '{"orderId":"A-1042"}', status: 'completed' }
      : { type: 'message', id: `msg_${randomUUID()}`, role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: ANSWER, annotations: [] }] };
  const head = { id: `resp_${randomUUID()}`, object: 'response', created_at: CREATED, status: 'completed', model: request.model };
  // The count leaves the ids out: they differ between runs.
  const { id: _, ...counted } = output;
  const withoutIds = items.map(({ id: __, ...item }) => item);
  return { ...head, output: [output], service_tier: 'default', usage: responsesUsage(count(request.model, withoutIds, counted)) };
}

function chat(request) {
  const message = { role: 'assistant', content: ANSWER };
  const head = { id: `chatcmpl-${randomUUID()}`, created: CREATED, model: request.model, service_tier: 'default' };
  return { head, message, usage: chatUsage(count(request.model, request.messages, ANSWER)) };
}

function chatStream({ head, message, usage }, options) {
  const chunk = (choices) => ({ ...head, object: 'chat.completion.chunk', choices });
  const events = message.content.split(' ').map((word) => chunk([{ index: 0, delta: { content: `${word} ` }, finish_reason: null }]));
  events.push(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]));
  // Without include_usage a stream ends without a word about tokens. The AI SDK always asks.
  if (options?.include_usage) events.push({ ...chunk([]), usage });
  return events;
}

function embeddings(request) {
  const texts = [request.input].flat();
  const total = texts.reduce((sum, text) => sum + tokens(text), 0);
  const data = texts.map((_, index) => ({ object: 'embedding', index, embedding: [0, 0, 0, 1] }));
  return { object: 'list', model: request.model, data, usage: { prompt_tokens: total, total_tokens: total } };
}

function sendJson(response, body, status = 200) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

function answer(path, request, response) {
  if (path === '/v1/responses' && !request.stream) return sendJson(response, responses(request));
  if (path === '/v1/embeddings') return sendJson(response, embeddings(request));
  if (path !== '/v1/chat/completions') {
    return sendJson(response, { error: { message: `no such path: ${path}`, type: 'invalid_request_error' } }, 404);
  }
  const made = chat(request);
  if (!request.stream) {
    const choice = { index: 0, message: made.message, finish_reason: 'stop' };
    return sendJson(response, { ...made.head, object: 'chat.completion', choices: [choice], usage: made.usage });
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  for (const event of chatStream(made, request.stream_options)) response.write(`data: ${JSON.stringify(event)}\n\n`);
  return response.end('data: [DONE]\n\n');
}

const server = createServer(async (incoming, response) => {
  const parts = [];
  for await (const part of incoming) parts.push(part);
  answer(incoming.url, JSON.parse(Buffer.concat(parts).toString() || '{}'), response);
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/v1`));
