// A small product with three AI features, built on the Vercel AI SDK: a support agent with a tool, a streamed reply and a
// search index. It prints what the API said it used; marginlake must say the same.

import { createOpenAI } from '@ai-sdk/openai';
import { embedMany, generateText, isStepCount, streamText, tool } from 'ai';
import { z } from 'zod';
import { sdk } from './telemetry.mjs';

const openai = createOpenAI(); // reads OPENAI_BASE_URL and OPENAI_API_KEY

// Long enough for the provider's prefix cache.
const HANDBOOK = 'You help customers of a small shop. Be brief, be kind, and never promise what the warehouse has not confirmed. '.repeat(40);

// For whom a call is made and what for. Only the names that `includeRuntimeContext` allows reach the telemetry.
function onBehalfOf({ customerId, userId, sessionId, feature }) {
  return {
    runtimeContext: { customerId, userId, sessionId, feature },
    telemetry: {
      functionId: feature,
      includeRuntimeContext: { customerId: true, userId: true, sessionId: true, feature: true },
      // Texts are never needed to price a call.
      recordInputs: false,
      recordOutputs: false,
    },
  };
}

function report(model, usage) {
  const cached = usage.inputTokenDetails?.cacheReadTokens ?? 0;
  const line = [model.padEnd(24), 'input', String(usage.inputTokens).padStart(6), ' of which cached', String(cached).padStart(6)];
  console.log(line.join(' '), ' output', String(usage.outputTokens).padStart(5));
}

// An agent loop: two steps, two calls that cost, and an outer span that repeats their sum.
async function supportAgent(who, question) {
  const result = await generateText({
    model: openai('gpt-5-mini'),
    instructions: HANDBOOK,
    prompt: question,
    tools: {
      lookUpOrder: tool({
        description: 'State of an order',
        inputSchema: z.object({ orderId: z.string() }),
        execute: async () => 'shipped, arrives tomorrow',
      }),
    },
    stopWhen: isStepCount(4),
    ...onBehalfOf({ ...who, feature: 'support-agent' }),
  });
  for (const step of result.steps) report(step.response.modelId, step.usage);
}

async function streamedReply(who, question) {
  const result = streamText({
    model: openai.chat('gpt-4.1-mini'),
    instructions: HANDBOOK,
    prompt: question,
    ...onBehalfOf({ ...who, feature: 'reply-draft' }),
  });
  await result.consumeStream();
  report('gpt-4.1-mini', await result.usage);
}

async function searchIndex(who, pages) {
  const { usage } = await embedMany({
    model: openai.embedding('text-embedding-3-small'),
    values: pages,
    ...onBehalfOf({ ...who, feature: 'search' }),
  });
  report('text-embedding-3-small', { inputTokens: usage.tokens, outputTokens: 0 });
}

await supportAgent({ customerId: 'acme', userId: 'ann', sessionId: 'acme-1' }, 'Where is my order A-1042?');
await supportAgent({ customerId: 'globex', userId: 'bob', sessionId: 'globex-1' }, 'My order A-1042 has not come yet.');
await streamedReply({ customerId: 'globex', userId: 'bob', sessionId: 'globex-2' }, 'Draft a reply to the warehouse. '.repeat(30));
const pages = Array.from({ length: 20 }, (_, page) => `Help page ${page}: how to return, exchange and track an order.`);
await searchIndex({ customerId: 'initech', userId: 'cid', sessionId: 'initech-1' }, pages);

// Sends what is still in the batch processor. Without it a short-lived process loses its last spans.
await sdk.shutdown();
