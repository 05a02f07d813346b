-- Each call of the report's days, with its keys spelled out and its cost by class.
--
-- `report_calls` is `calls` for those days with two more columns: `cost`, the call's cost in the report's currency, and
-- `currency`, which is USD where no exchange rate is known for the day. In USD `cost` is `cost_usd`.
-- A cost that is not known is NULL and is in no sum; `unpriced_calls` counts the calls that have none.
SELECT
    date,
    CASE WHEN no_rate THEN '(no rate)' ELSE coalesce(nullif(customer_id, ''), '(unattributed)') END AS customer_id,
    CASE WHEN no_rate THEN '(no rate)' ELSE coalesce(nullif(feature, ''), '(unattributed)') END AS feature,
    CASE WHEN no_rate THEN '(no rate)'
         ELSE coalesce(nullif(response_model, ''), nullif(request_model, ''), '(unattributed)') END AS model,
    CASE WHEN no_rate THEN '(no rate)' ELSE coalesce(nullif(user_id, ''), '(unattributed)') END AS user_id,
    CASE WHEN no_rate THEN '(no rate)' ELSE coalesce(nullif(conversation_id, ''), '(unattributed)') END AS conversation_id,
    CASE WHEN no_rate THEN '(no rate)' ELSE coalesce(nullif(task_id, ''), '(unattributed)') END AS task_id,
    CASE WHEN no_rate THEN '(no rate)' ELSE coalesce(nullif(agent_name, ''), '(unattributed)') END AS agent_name,
    currency,
    CASE WHEN cost_class = 'model' THEN cost END AS model_cost,
    CASE WHEN cost_class = 'other_cogs' THEN cost END AS other_cogs,
    CASE WHEN cost_class = 'variable' THEN cost END AS variable_cost,
    CASE WHEN cost_class = 'not_cogs' THEN cost END AS not_cogs_cost,
    CASE WHEN cost_class = 'model' THEN 1 ELSE 0 END AS calls,
    CASE WHEN cost_class = 'model'
              AND coalesce(input_uncached, cache_read, cache_write_5m, cache_write_1h, input_audio, input_image) IS NOT NULL
         THEN coalesce(input_uncached, 0) + coalesce(cache_read, 0) + coalesce(cache_write_5m, 0)
            + coalesce(cache_write_1h, 0) + coalesce(input_audio, 0) + coalesce(input_image, 0) END AS input_tokens,
    CASE WHEN cost_class = 'model'
              AND coalesce(output_text, output_reasoning, output_audio, output_image) IS NOT NULL
         THEN coalesce(output_text, 0) + coalesce(output_reasoning, 0) + coalesce(output_audio, 0)
            + coalesce(output_image, 0) END AS output_tokens,
    CASE WHEN cost_class = 'model' AND cost IS NULL THEN 1 ELSE 0 END AS unpriced_calls,
    CASE WHEN cost_class IN ('model', 'other_cogs') AND cost IS NOT NULL THEN 1 ELSE 0 END AS known_costs
FROM report_calls
