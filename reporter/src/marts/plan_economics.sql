-- What a plan earns and costs per customer, how much a customer may use before it loses money, and how many do.
--
-- One row per plan and currency, over the report's days. A customer is of the plan that earned most from it in the last month
-- in which any plan did (`last_plans`), `(no plan)` where none did: free, trial and internal customers, whose cost is never dropped. All that
-- a customer earns and costs counts for its plan. Percentiles are by nearest rank over the plan's customers.
-- `break_even_calls` is revenue per customer / cost per call: as many calls as the plan can carry. `price_at_target` is what
-- a customer must earn to leave the target margin at the average cost. `under_water` customers cost more than they earn.
WITH customers AS (
    SELECT coalesce(plan, '(no plan)') AS plan, currency, margins.customer_id,
           sum(revenue) AS revenue, sum(model_cost + other_cogs) AS cost, sum(calls) AS calls,
           CASE WHEN max(CASE WHEN cost_status <> 'no_usage' THEN 1 ELSE 0 END) = 1 THEN 1 ELSE 0 END AS has_usage
    FROM margin_by_customer AS margins
    LEFT JOIN last_plans ON last_plans.customer_id = margins.customer_id
    WHERE margins.customer_id NOT LIKE '(%'
    GROUP BY coalesce(plan, '(no plan)'), currency, margins.customer_id
),
ranked AS (
    SELECT customers.*, date, from_date, target_margin_pct, margin_left,
           row_number() OVER (PARTITION BY plan, customers.currency ORDER BY cost, customer_id) AS place,
           count(*) OVER (PARTITION BY plan, customers.currency) AS customers
    FROM customers CROSS JOIN report_scope
),
sums AS (
    SELECT date, from_date, plan, currency, target_margin_pct, margin_left,
           count(*) AS customers,
           sum(has_usage) AS customers_with_usage,
           sum(calls) AS calls,
           sum(revenue) AS revenue,
           sum(cost) AS cogs,
           max(CASE WHEN place = (customers * 50 + 99) / 100 THEN cost END) AS p50_cost,
           max(CASE WHEN place = (customers * 90 + 99) / 100 THEN cost END) AS p90_cost,
           max(CASE WHEN place = (customers * 95 + 99) / 100 THEN cost END) AS p95_cost,
           max(CASE WHEN place = (customers * 99 + 99) / 100 THEN cost END) AS p99_cost,
           sum(CASE WHEN revenue < cost THEN 1 ELSE 0 END) AS under_water,
           coalesce(sum(CASE WHEN revenue < cost THEN cost - revenue END), 0) AS lost_amount
    FROM ranked
    GROUP BY date, from_date, plan, currency, target_margin_pct, margin_left
)
SELECT date, from_date, plan, currency, customers, customers_with_usage, calls,
       revenue,
       cogs,
       revenue - cogs AS gross_margin,
       percent_of(revenue - cogs, revenue) AS gross_margin_pct,
       amount_times(revenue, 1, customers) AS revenue_per_customer,
       amount_times(cogs, 1, customers) AS cost_per_customer,
       p50_cost, p90_cost, p95_cost, p99_cost,
       amount_times(cogs, 1, calls) AS cost_per_call,
       CASE WHEN calls > 0 THEN ratio_of(amount_times(revenue, calls, customers), cogs) END AS break_even_calls,
       ratio_of(CAST(calls AS DECIMAL(38, 12)), CAST(customers AS DECIMAL(38, 12))) AS calls_per_customer,
       target_margin_pct,
       amount_times(amount_times(cogs, 1, customers), 100000000, margin_left) AS price_at_target,
       under_water,
       percent_of(CAST(under_water AS DECIMAL(38, 12)), CAST(customers AS DECIMAL(38, 12))) AS under_water_pct,
       lost_amount
FROM sums
ORDER BY plan, currency
