-- Who pays, who tries and who is free: the cost of those that earn nothing must not hide in an average.
--
-- One row per segment and currency, over the report's days. `paying` customers earn something, `trial` ones have a line of kind
-- trial and earn nothing, `free` ones have neither. Rows in brackets are what names no customer. `internal` is what evaluation,
-- development and our own use cost (`not_cogs_cost`, in no margin), whoever it was for; the other rows leave it out. All rows
-- together are `margin_by_customer`.
WITH customers AS (
    SELECT customer_id, currency,
           sum(revenue) AS revenue, sum(model_cost) AS model_cost, sum(other_cogs) AS other_cogs,
           sum(variable_cost) AS variable_cost, sum(not_cogs_cost) AS not_cogs_cost,
           sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls
    FROM margin_by_customer
    GROUP BY customer_id, currency
),
parts AS (
    SELECT CASE WHEN customers.customer_id LIKE '(%' THEN customers.customer_id
                WHEN revenue <> 0 THEN 'paying'
                WHEN trials.customer_id IS NOT NULL THEN 'trial'
                ELSE 'free' END AS segment,
           currency, 1 AS customers, calls, unpriced_calls, revenue, model_cost, other_cogs, variable_cost,
           CAST(0 AS DECIMAL(38, 12)) AS not_cogs_cost
    FROM customers
    LEFT JOIN (SELECT DISTINCT customer_id FROM subscribers WHERE on_trial) AS trials ON trials.customer_id = customers.customer_id
    UNION ALL
    SELECT 'internal', currency, 0, 0, 0, CAST(0 AS DECIMAL(38, 12)), CAST(0 AS DECIMAL(38, 12)), CAST(0 AS DECIMAL(38, 12)),
           CAST(0 AS DECIMAL(38, 12)), not_cogs_cost
    FROM customers
    WHERE not_cogs_cost <> 0
)
SELECT scope.date, scope.from_date, segment, currency,
       sum(CASE WHEN segment LIKE '(%' THEN 0 ELSE customers END) AS customers,
       sum(calls) AS calls,
       sum(unpriced_calls) AS unpriced_calls,
       sum(revenue) AS revenue,
       sum(model_cost) AS model_cost,
       sum(other_cogs) AS other_cogs,
       sum(revenue) - sum(model_cost) - sum(other_cogs) AS gross_margin,
       percent_of(sum(revenue) - sum(model_cost) - sum(other_cogs), sum(revenue)) AS gross_margin_pct,
       sum(variable_cost) AS variable_cost,
       sum(not_cogs_cost) AS not_cogs_cost
FROM parts CROSS JOIN (SELECT date, from_date FROM report_scope) AS scope
GROUP BY scope.date, scope.from_date, segment, currency
ORDER BY segment, currency
