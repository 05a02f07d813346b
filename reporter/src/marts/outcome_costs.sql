-- What a resolved conversation and a successful task cost and earn, by feature and model.
--
-- One row per unit (`conversation`, `task`), feature, model and currency, over the report's days: every conversation and task
-- with calls in them is counted once, under the feature and model that cost it most. What became of it is the last word about
-- it in `outcomes`; without one it is `unknown`, which is not a failure. `success_pct` is of units with a known outcome;
-- `success_low_pct` and `success_high_pct` are its interval at 95 % (Wilson): where two models' intervals overlap, the counts do not
-- show which one resolves more.
-- `cost_per_success` is all cost of units with a known outcome, failures too, for each success; `cost_per_success_high` adds
-- the cost of those without one, as if all of them had failed. `margin_per_success` is over units with a known outcome.
-- Revenue by conversation and task is an allocation.
WITH main AS (
    SELECT unit, key, currency, feature, model, unpriced_calls
    FROM (
        SELECT unit, key, currency, feature, model,
               sum(unpriced_calls) OVER (PARTITION BY unit, key, currency) AS unpriced_calls,
               row_number() OVER (PARTITION BY unit, key, currency ORDER BY coalesce(cost, 0) DESC, calls DESC, feature, model) AS place
        FROM (
            SELECT 'conversation' AS unit, conversation_id AS key, currency, feature, model,
                   sum(model_cost) AS cost, sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls
            FROM outcome_facts
            GROUP BY conversation_id, currency, feature, model
            UNION ALL
            SELECT 'task', task_id, currency, feature, model, sum(model_cost), sum(calls), sum(unpriced_calls)
            FROM outcome_facts
            GROUP BY task_id, currency, feature, model
        ) AS parts
        WHERE key NOT LIKE '(%' AND calls > 0
    ) AS ranked
    WHERE place = 1
),
margins AS (
    SELECT 'conversation' AS unit, conversation_id AS key, currency, sum(revenue) AS revenue, sum(model_cost + other_cogs) AS cost
    FROM margin_by_conversation
    GROUP BY conversation_id, currency
    UNION ALL
    SELECT 'task', task_id, currency, sum(revenue), sum(model_cost + other_cogs)
    FROM margin_by_task
    GROUP BY task_id, currency
),
units AS (
    SELECT main.unit, feature, model, main.currency, unpriced_calls, revenue, cost, coalesce(outcome, 'unknown') AS outcome
    FROM main
    JOIN margins ON margins.unit = main.unit AND margins.key = main.key AND margins.currency = main.currency
    LEFT JOIN outcomes ON outcomes.unit = main.unit AND outcomes.key = main.key
),
sums AS (
    SELECT unit, feature, model, currency,
           count(*) AS units,
           sum(CASE WHEN outcome = 'success' THEN 1 ELSE 0 END) AS successes,
           sum(CASE WHEN outcome = 'failure' THEN 1 ELSE 0 END) AS failures,
           sum(CASE WHEN outcome = 'abandoned' THEN 1 ELSE 0 END) AS abandoned,
           sum(CASE WHEN outcome = 'unknown' THEN 1 ELSE 0 END) AS unknown,
           sum(revenue) AS revenue,
           sum(cost) AS cost,
           coalesce(sum(CASE WHEN outcome = 'success' THEN cost END), 0) AS cost_of_successes,
           coalesce(sum(CASE WHEN outcome = 'failure' THEN cost END), 0) AS cost_of_failures,
           coalesce(sum(CASE WHEN outcome = 'abandoned' THEN cost END), 0) AS cost_of_abandoned,
           coalesce(sum(CASE WHEN outcome = 'unknown' THEN cost END), 0) AS cost_of_unknown,
           coalesce(sum(CASE WHEN outcome <> 'unknown' THEN revenue END), 0) AS known_revenue,
           sum(unpriced_calls) AS unpriced_calls
    FROM units
    GROUP BY unit, feature, model, currency
)
SELECT scope.date, scope.from_date, unit, feature, model, sums.currency,
       units, successes, failures, abandoned, unknown,
       percent_of(CAST(successes AS DECIMAL(38, 12)), CAST(units - unknown AS DECIMAL(38, 12))) AS success_pct,
       share_low(successes, units - unknown) AS success_low_pct,
       share_high(successes, units - unknown) AS success_high_pct,
       revenue, cost, cost_of_successes, cost_of_failures, cost_of_abandoned, cost_of_unknown,
       amount_times(cost - cost_of_unknown, 1, successes) AS cost_per_success,
       amount_times(cost, 1, successes) AS cost_per_success_high,
       amount_times(known_revenue, 1, successes) AS revenue_per_success,
       amount_times(known_revenue - (cost - cost_of_unknown), 1, successes) AS margin_per_success,
       unpriced_calls
FROM sums CROSS JOIN (SELECT date, from_date FROM report_scope) AS scope
ORDER BY unit, feature, model, sums.currency
