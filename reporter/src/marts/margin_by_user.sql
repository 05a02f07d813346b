-- What each user earns and costs. A user's revenue is known where a line names the user, else allocated.
--
-- One row per day, user_id and currency. Revenue comes from `revenue_by_key` (known or allocated: `allocation_method`), costs
-- of calls from `call_cells`, bills and other costs that are no calls from `cost_by_key` (`spread_cost` is their part).
-- model_margin = revenue - model_cost; gross_margin = model_margin - other_cogs; contribution_margin = gross_margin -
-- variable_cost. Margins are over what is known: where `cost_status` is not `known`, costs are lower bounds, and
-- `gross_margin_low` is what is left if the unpriced tokens cost as much as those of the dearest model.
-- `percent_of(part, whole)` is 100 * part / whole, exact, rounded half to even at 6 places, NULL unless whole > 0;
-- `amount_times(amount, n, d)` is amount * n / d, rounded half to even at 12 places, NULL unless d > 0.
WITH facts AS (
    SELECT date, key AS user_id, currency, revenue, revenue_allocated, allocation_method
    FROM revenue_by_key
    WHERE dimension = 'user'
    UNION ALL BY NAME
    SELECT date, user_id, currency, model_cost, other_cogs, variable_cost, not_cogs_cost, calls, input_tokens, output_tokens,
           cache_read_tokens, unpriced_calls, unpriced_tokens, unbounded_calls, known_costs, error_calls, error_cost
    FROM call_cells
    UNION ALL BY NAME
    SELECT date, key AS user_id, currency, cost AS spread_cost,
           CASE WHEN cost_class = 'model' THEN cost END AS model_cost,
           CASE WHEN cost_class = 'other_cogs' THEN cost END AS other_cogs,
           CASE WHEN cost_class = 'variable' THEN cost END AS variable_cost,
           CASE WHEN cost_class = 'not_cogs' THEN cost END AS not_cogs_cost,
           CASE WHEN cost_class IN ('model', 'other_cogs') THEN 1 ELSE 0 END AS known_costs
    FROM cost_by_key
    WHERE dimension = 'user'
),
sums AS (
    SELECT date, user_id, currency,
           coalesce(sum(revenue), 0) AS revenue,
           coalesce(sum(revenue_allocated), 0) AS revenue_allocated,
           CASE WHEN min(allocation_method) = max(allocation_method) THEN min(allocation_method)
                WHEN min(allocation_method) IS NOT NULL THEN 'mixed' END AS allocation_method,
           coalesce(sum(model_cost), 0) AS model_cost,
           coalesce(sum(other_cogs), 0) AS other_cogs,
           coalesce(sum(variable_cost), 0) AS variable_cost,
           coalesce(sum(not_cogs_cost), 0) AS not_cogs_cost,
           coalesce(sum(spread_cost), 0) AS spread_cost,
           coalesce(sum(calls), 0) AS calls,
           CASE WHEN coalesce(sum(calls), 0) = 0 THEN 0 ELSE sum(input_tokens) END AS input_tokens,
           CASE WHEN coalesce(sum(calls), 0) = 0 THEN 0 ELSE sum(output_tokens) END AS output_tokens,
           CASE WHEN coalesce(sum(calls), 0) = 0 THEN 0 ELSE sum(cache_read_tokens) END AS cache_read_tokens,
           coalesce(sum(unpriced_calls), 0) AS unpriced_calls,
           coalesce(sum(unpriced_tokens), 0) AS unpriced_tokens,
           coalesce(sum(unbounded_calls), 0) AS unbounded_calls,
           coalesce(sum(known_costs), 0) AS known_costs,
           coalesce(sum(error_calls), 0) AS error_calls,
           coalesce(sum(error_cost), 0) AS error_cost
    FROM facts
    GROUP BY date, user_id, currency
)
SELECT date, user_id, sums.currency,
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
            ELSE 'known' END AS cost_status,
       revenue - model_cost AS model_margin,
       percent_of(revenue - model_cost, revenue) AS model_margin_pct,
       percent_of(revenue - model_cost - other_cogs - variable_cost, revenue) AS contribution_margin_pct,
       spread_cost,
       cache_read_tokens,
       percent_of(CAST(cache_read_tokens AS DECIMAL(38, 12)), CAST(input_tokens AS DECIMAL(38, 12))) AS cache_hit_pct,
       error_calls,
       error_cost,
       unpriced_tokens,
       CASE WHEN unpriced_calls = 0 THEN revenue - model_cost - other_cogs
            WHEN unbounded_calls = 0
            THEN revenue - model_cost - other_cogs - amount_times(dearest.cost, unpriced_tokens, dearest.tokens)
       END AS gross_margin_low
FROM sums
LEFT JOIN dearest_rate AS dearest ON dearest.currency = sums.currency
ORDER BY date, user_id, sums.currency
