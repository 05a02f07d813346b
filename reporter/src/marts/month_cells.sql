-- The calls of the report's months, added up by day and by every key that has few values: what most marts read.
--
-- One pass over `calls`; conversations, tasks and users are too many to be kept here, their marts read `call_facts`.
SELECT date, customer_id, feature, model, agent_name, prompt, plan,
       service_name, environment, provider, role, currency, no_rate,
       sum(model_cost) AS model_cost,
       sum(other_cogs) AS other_cogs,
       sum(variable_cost) AS variable_cost,
       sum(not_cogs_cost) AS not_cogs_cost,
       sum(calls) AS calls,
       sum(input_tokens) AS input_tokens,
       sum(output_tokens) AS output_tokens,
       sum(cache_read_tokens) AS cache_read_tokens,
       sum(calls_with_usage) AS calls_with_usage,
       sum(unpriced_calls) AS unpriced_calls,
       sum(unpriced_tokens) AS unpriced_tokens,
       sum(unbounded_calls) AS unbounded_calls,
       sum(known_costs) AS known_costs,
       sum(error_calls) AS error_calls,
       sum(error_cost) AS error_cost,
       sum(every_call) AS every_call,
       sum(every_token) AS every_token,
       sum(cogs_usd) AS cogs_usd,
       sum(duration_us) AS duration_us
FROM call_rows
GROUP BY date, customer_id, feature, model, agent_name, prompt, plan,
         service_name, environment, provider, role, currency, no_rate
