-- The calls of the report's months, added up by day and by every key that a margin is broken down by: what the marts read.
--
-- `cells.rs` adds them up as this query does, in one pass over `calls`, and `plans.rs` looks the plan up. `customer_plans` has the plan that earned most from a customer in a month.
SELECT cells.*,
       CASE WHEN cells.customer_id = '(unattributed)' THEN '(unattributed)' ELSE coalesce(plans.plan, '(no plan)') END AS plan
FROM (
    SELECT date, customer_id, feature, model, user_id, conversation_id, task_id, agent_name, prompt,
           service_name, environment, provider, role, cost_class, currency, no_rate,
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
           sum(model_cost_usd) AS model_cost_usd,
           sum(duration_us) AS duration_us
    FROM call_rows
    GROUP BY date, customer_id, feature, model, user_id, conversation_id, task_id, agent_name, prompt,
             service_name, environment, provider, role, cost_class, currency, no_rate
) AS cells
LEFT JOIN customer_plans AS plans
    ON plans.customer_id = cells.customer_id AND plans.month = CAST(date_trunc('month', cells.date) AS DATE)
