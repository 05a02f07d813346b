-- Quality, speed and cost of each model in each feature, side by side: what a cheaper or a faster one would change.
--
-- One row per feature, model and currency with model calls, over the report's days. Durations are whole milliseconds, by
-- nearest rank over the calls that report them. `error_calls` ended in an error and cost `error_cost`; `retried_calls` are
-- those of them after which the same trace asks the same model again and succeeds: money spent on being refused. What became
-- of the conversations stands in `outcome_costs`.
WITH sums AS (
    SELECT feature, model, currency,
           sum(calls) AS calls,
           coalesce(sum(model_cost), 0) AS model_cost,
           sum(input_tokens) AS input_tokens,
           sum(output_tokens) AS output_tokens,
           sum(cache_read_tokens) AS cache_read_tokens,
           sum(unpriced_calls) AS unpriced_calls,
           sum(error_calls) AS error_calls,
           coalesce(sum(error_cost), 0) AS error_cost
    FROM call_cells
    GROUP BY feature, model, currency
    HAVING sum(calls) > 0
),
-- How many calls took how long: percentiles come from these counts, so that no call is sorted.
times AS (
    SELECT feature, model, currency, 'duration' AS what, CAST(round(duration_ms) AS BIGINT) AS ms, count(*) AS calls
    FROM model_calls
    WHERE duration_ms >= 0 AND duration_ms < 86400000000
    GROUP BY feature, model, currency, CAST(round(duration_ms) AS BIGINT)
    UNION ALL
    SELECT feature, model, currency, 'first_token', CAST(round(time_to_first_token_ms) AS BIGINT), count(*)
    FROM model_calls
    WHERE time_to_first_token_ms >= 0 AND time_to_first_token_ms < 86400000000
    GROUP BY feature, model, currency, CAST(round(time_to_first_token_ms) AS BIGINT)
),
places AS (
    SELECT feature, model, currency, what, ms, calls,
           sum(calls) OVER (PARTITION BY feature, model, currency, what ORDER BY ms) AS up_to,
           sum(calls) OVER (PARTITION BY feature, model, currency, what) AS all_calls
    FROM times
),
percentiles AS (
    SELECT feature, model, currency,
           sum(CASE WHEN what = 'duration' THEN calls END) AS calls_with_duration,
           min(CASE WHEN what = 'duration' AND up_to >= (all_calls * 50 + 99) / 100 THEN ms END) AS p50_duration_ms,
           min(CASE WHEN what = 'duration' AND up_to >= (all_calls * 95 + 99) / 100 THEN ms END) AS p95_duration_ms,
           sum(CASE WHEN what = 'first_token' THEN calls END) AS calls_with_first_token,
           min(CASE WHEN what = 'first_token' AND up_to >= (all_calls * 50 + 99) / 100 THEN ms END) AS p50_time_to_first_token_ms,
           min(CASE WHEN what = 'first_token' AND up_to >= (all_calls * 95 + 99) / 100 THEN ms END) AS p95_time_to_first_token_ms
    FROM places
    GROUP BY feature, model, currency
),
failed AS (
    SELECT trace_id, request_model, feature, model, currency, start_time, cost
    FROM model_calls
    WHERE is_error
),
successes AS (
    SELECT calls.trace_id, calls.request_model, max(calls.start_time) AS last_start
    FROM model_calls AS calls
    WHERE NOT calls.is_error AND calls.trace_id IN (SELECT trace_id FROM failed)
    GROUP BY calls.trace_id, calls.request_model
),
retries AS (
    SELECT failed.feature, failed.model, failed.currency, count(*) AS retried_calls, sum(failed.cost) AS retried_cost
    FROM failed
    JOIN successes ON successes.trace_id = failed.trace_id AND successes.request_model = failed.request_model
    WHERE successes.last_start >= failed.start_time
    GROUP BY failed.feature, failed.model, failed.currency
)
SELECT scope.date, scope.from_date, sums.feature, sums.model, sums.currency, sums.calls, model_cost,
       amount_times(model_cost, 1, sums.calls - unpriced_calls) AS cost_per_call,
       amount_times(model_cost, 1000000, coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS cost_per_million_tokens,
       input_tokens, output_tokens, cache_read_tokens,
       percent_of(CAST(cache_read_tokens AS DECIMAL(38, 12)), CAST(input_tokens AS DECIMAL(38, 12))) AS cache_hit_pct,
       coalesce(calls_with_duration, 0) AS calls_with_duration, p50_duration_ms, p95_duration_ms,
       coalesce(calls_with_first_token, 0) AS calls_with_first_token, p50_time_to_first_token_ms, p95_time_to_first_token_ms,
       error_calls,
       percent_of(CAST(error_calls AS DECIMAL(38, 12)), CAST(sums.calls AS DECIMAL(38, 12))) AS error_pct,
       error_cost,
       coalesce(retried_calls, 0) AS retried_calls,
       coalesce(retried_cost, 0) AS retried_cost,
       unpriced_calls
FROM sums
LEFT JOIN percentiles ON percentiles.feature = sums.feature AND percentiles.model = sums.model AND percentiles.currency = sums.currency
LEFT JOIN retries ON retries.feature = sums.feature AND retries.model = sums.model AND retries.currency = sums.currency
CROSS JOIN (SELECT date, from_date FROM report_scope) AS scope
ORDER BY sums.feature, sums.model, sums.currency
