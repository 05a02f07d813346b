-- Each row of `calls` of the months that the report touches, with its keys spelled out and its cost by class.
--
-- `calls_of_months` is `calls` for those months with three more columns: `cost`, the call's cost in the report's currency;
-- `currency`, which is USD where no exchange rate is known for the day; and `no_rate`, which says so. In USD `cost` is
-- `cost_usd`.
-- A cost that is not known is NULL and is in no sum; `unpriced_calls` counts the calls that have none.
SELECT
    calls.date,
    coalesce(nullif(calls.customer_id, ''), '(unattributed)') AS customer_id,
    coalesce(nullif(feature, ''), '(unattributed)') AS feature,
    coalesce(nullif(response_model, ''), nullif(request_model, ''), '(unattributed)') AS model,
    coalesce(nullif(user_id, ''), '(unattributed)') AS user_id,
    coalesce(nullif(conversation_id, ''), '(unattributed)') AS conversation_id,
    coalesce(nullif(task_id, ''), '(unattributed)') AS task_id,
    coalesce(nullif(agent_name, ''), '(unattributed)') AS agent_name,
    CASE WHEN nullif(prompt_name, '') IS NULL THEN '(unattributed)'
         WHEN nullif(prompt_version, '') IS NULL THEN prompt_name
         ELSE prompt_name || '@' || prompt_version END AS prompt,
    trace_id,
    span_id,
    request_model,
    start_time,
    duration_ms,
    time_to_first_token_ms,
    service_name,
    environment,
    provider,
    role,
    cost_class,
    currency,
    no_rate,
    CASE WHEN cost_class = 'model' THEN cost END AS model_cost,
    CASE WHEN cost_class = 'other_cogs' THEN cost END AS other_cogs,
    CASE WHEN cost_class = 'variable' THEN cost END AS variable_cost,
    CASE WHEN cost_class = 'not_cogs' THEN cost END AS not_cogs_cost,
    CASE WHEN cost_class = 'model' THEN 1 ELSE 0 END AS calls,
    CASE WHEN cost_class = 'model' THEN input_tokens END AS input_tokens,
    CASE WHEN cost_class = 'model' THEN output_tokens END AS output_tokens,
    CASE WHEN cost_class = 'model' THEN cache_read END AS cache_read_tokens,
    CASE WHEN cost_class = 'model' AND coalesce(input_tokens, output_tokens) IS NOT NULL THEN 1 ELSE 0 END AS calls_with_usage,
    CASE WHEN cost_class = 'model' AND cost IS NULL THEN 1 ELSE 0 END AS unpriced_calls,
    CASE WHEN cost_class = 'model' AND cost IS NULL
         THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0) ELSE 0 END AS unpriced_tokens,
    CASE WHEN cost_class = 'model' AND cost IS NULL AND coalesce(input_tokens, output_tokens) IS NULL
         THEN 1 ELSE 0 END AS unbounded_calls,
    CASE WHEN cost_class IN ('model', 'other_cogs') AND cost IS NOT NULL THEN 1 ELSE 0 END AS known_costs,
    CASE WHEN cost_class = 'model' AND nullif(error_type, '') IS NOT NULL THEN 1 ELSE 0 END AS error_calls,
    CASE WHEN cost_class = 'model' AND nullif(error_type, '') IS NOT NULL THEN cost END AS error_cost,
    -- Weights by which revenue and bills are shared out; costs in USD, so that they do not depend on the report's currency.
    1 AS every_call,
    coalesce(input_tokens, 0) + coalesce(output_tokens, 0) AS every_token,
    CASE WHEN cost_class IN ('model', 'other_cogs') THEN cost_usd END AS cogs_usd,
    CASE WHEN cost_class = 'model' THEN cost_usd END AS model_cost_usd,
    CASE WHEN duration_ms BETWEEN 0 AND 86400000000 THEN CAST(duration_ms * 1000 AS BIGINT) ELSE 0 END AS duration_us,
    cost_lines
FROM (
    SELECT *,
           CASE WHEN coalesce(input_uncached, cache_read, cache_write_5m, cache_write_1h, input_audio, input_image) IS NOT NULL
                THEN coalesce(input_uncached, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0)
                   + coalesce(cache_write_1h, 0) + coalesce(input_audio, 0) + coalesce(input_image, 0) END AS input_tokens,
           CASE WHEN coalesce(output_text, output_reasoning, output_audio, output_image) IS NOT NULL
                THEN coalesce(output_text, 0) + coalesce(output_reasoning, 0) + coalesce(output_audio, 0)
                   + coalesce(output_image, 0) END AS output_tokens
    FROM calls_of_months
) AS calls
