-- What each agent earns and costs. Its revenue is an allocation of what the customers pay.
--
-- One row per day, agent_name and currency. Revenue comes from `revenue_by_key` (known or allocated: `allocation_method`),
-- costs from `call_facts`. Margins are over what is known: where `cost_status` is not `known`, costs are lower bounds.
-- `percent_of(part, whole)` is 100 * part / whole, exact, rounded half to even at 6 places, NULL unless whole > 0.
WITH facts AS (
    SELECT date, key AS agent_name, currency, revenue, revenue_allocated, allocation_method,
           CAST(0 AS DECIMAL(38, 12)) AS model_cost, CAST(0 AS DECIMAL(38, 12)) AS other_cogs,
           CAST(0 AS DECIMAL(38, 12)) AS variable_cost, CAST(0 AS DECIMAL(38, 12)) AS not_cogs_cost,
           CAST(0 AS BIGINT) AS calls, CAST(NULL AS BIGINT) AS input_tokens, CAST(NULL AS BIGINT) AS output_tokens,
           CAST(0 AS BIGINT) AS unpriced_calls, CAST(0 AS BIGINT) AS known_costs
    FROM revenue_by_key
    WHERE dimension = 'agent'
    UNION ALL
    SELECT date, agent_name, currency, CAST(0 AS DECIMAL(38, 12)), CAST(0 AS DECIMAL(38, 12)), CAST(NULL AS VARCHAR),
           coalesce(model_cost, CAST(0 AS DECIMAL(38, 12))), coalesce(other_cogs, CAST(0 AS DECIMAL(38, 12))),
           coalesce(variable_cost, CAST(0 AS DECIMAL(38, 12))), coalesce(not_cogs_cost, CAST(0 AS DECIMAL(38, 12))),
           calls, input_tokens, output_tokens, unpriced_calls, known_costs
    FROM call_facts
),
sums AS (
    SELECT date, agent_name, currency,
           sum(revenue) AS revenue,
           sum(revenue_allocated) AS revenue_allocated,
           CASE WHEN min(allocation_method) = max(allocation_method) THEN min(allocation_method)
                WHEN min(allocation_method) IS NOT NULL THEN 'mixed' END AS allocation_method,
           sum(model_cost) AS model_cost,
           sum(other_cogs) AS other_cogs,
           sum(variable_cost) AS variable_cost,
           sum(not_cogs_cost) AS not_cogs_cost,
           sum(calls) AS calls,
           CASE WHEN sum(calls) = 0 THEN 0 ELSE sum(input_tokens) END AS input_tokens,
           CASE WHEN sum(calls) = 0 THEN 0 ELSE sum(output_tokens) END AS output_tokens,
           sum(unpriced_calls) AS unpriced_calls,
           sum(known_costs) AS known_costs
    FROM facts
    GROUP BY date, agent_name, currency
)
SELECT date, agent_name, currency,
       revenue,
       revenue_allocated,
       allocation_method,
       model_cost,
       other_cogs,
       revenue - model_cost - other_cogs AS gross_margin,
       percent_of(revenue - model_cost - other_cogs, revenue) AS gross_margin_pct,
       variable_cost,
       revenue - model_cost - other_cogs - variable_cost AS contribution_margin,
       not_cogs_cost,
       calls,
       input_tokens,
       output_tokens,
       unpriced_calls,
       CASE WHEN unpriced_calls > 0 AND known_costs = 0 THEN 'unknown'
            WHEN unpriced_calls > 0 THEN 'lower_bound'
            WHEN known_costs = 0 THEN 'no_usage'
            ELSE 'known' END AS cost_status
FROM sums
ORDER BY date, agent_name, currency
