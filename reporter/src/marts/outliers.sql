-- The calls and conversations that cost far more than their like, with the trace to open (`marginlake explain TRACE_ID`).
--
-- Up to 100 calls that cost at least ten times the average call of their feature and model, and up to 100 conversations that
-- cost at least five times the median one; those that cost most beyond their like come first. Both must cost at least a cent.
-- Dated by the day of the call, and by the last day of the conversation. A conversation's trace is its dearest one.
WITH averages AS (
    SELECT feature, model, currency, amount_times(sum(model_cost), 1, sum(calls) - sum(unpriced_calls)) AS average
    FROM call_cells
    GROUP BY feature, model, currency
),
dear_calls AS (
    SELECT one.date, trace_id, span_id, conversation_id, customer_id, one.feature, one.model, one.currency,
           one.cost, average, one.cost - average AS beyond, input_tokens, output_tokens
    FROM model_calls AS one
    JOIN averages ON averages.feature = one.feature AND averages.model = one.model AND averages.currency = one.currency
    WHERE one.cost >= 0.01 AND one.cost >= amount_times(average, 10, 1)
    ORDER BY beyond DESC, trace_id, span_id
    LIMIT 100
),
conversation_sums AS (
    SELECT conversation_id, currency, max(CASE WHEN calls > 0 THEN date END) AS date, sum(calls) AS calls,
           sum(model_cost + other_cogs) AS cost, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM margin_by_conversation
    WHERE conversation_id NOT LIKE '(%'
    GROUP BY conversation_id, currency
    HAVING sum(calls) > 0
),
medians AS (
    SELECT unit_costs.currency, p50_cost FROM unit_costs WHERE unit = 'conversation'
),
dear AS (
    SELECT conversation_sums.*, p50_cost AS typical_cost
    FROM conversation_sums
    JOIN medians ON medians.currency = conversation_sums.currency
    WHERE cost >= 0.01 AND cost >= 5 * p50_cost
    ORDER BY cost DESC, conversation_id
    LIMIT 100
),
-- Each trace of those conversations, the dearest first.
traces AS (
    SELECT conversation_id, currency, trace_id, customer_id, feature, model,
           row_number() OVER (PARTITION BY conversation_id, currency ORDER BY coalesce(cost, 0) DESC, trace_id, model) AS place
    FROM (
        SELECT conversation_id, currency, trace_id, customer_id, feature, model, sum(cost) AS cost
        FROM model_calls
        WHERE conversation_id IN (SELECT conversation_id FROM dear)
        GROUP BY conversation_id, currency, trace_id, customer_id, feature, model
    ) AS sums
),
found AS (
    SELECT date, 'call' AS kind, trace_id, span_id, conversation_id, customer_id, feature, model, currency, 1 AS calls, cost,
           average AS typical_cost, input_tokens, output_tokens,
           'costs at least ten times the average call of its feature and model' AS reason
    FROM dear_calls
    UNION ALL
    SELECT dear.date, 'conversation', trace_id, NULL, dear.conversation_id, customer_id, feature, model, dear.currency, calls, cost,
           typical_cost, input_tokens, output_tokens,
           'costs at least five times the median conversation'
    FROM dear
    LEFT JOIN traces ON traces.conversation_id = dear.conversation_id AND traces.currency = dear.currency AND traces.place = 1
)
SELECT date, kind, trace_id, span_id, conversation_id, customer_id, feature, model, currency, calls, cost, typical_cost,
       percent_of(cost, typical_cost) / 100 AS times_typical, input_tokens, output_tokens, reason
FROM found
ORDER BY kind, cost - typical_cost DESC, trace_id, span_id, conversation_id
