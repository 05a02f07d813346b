-- What the receipts of the report's months say, added up by day and by the keys that findings ask for.
--
-- `item` is the unit that a model call used (`input_tokens`), or the price by which another cost of goods was charged.
-- Quantities and amounts (in USD) are those of `cost_lines`; calls without a known cost have no receipt.
SELECT date, customer_id, feature, model, cost_class, no_rate, item,
       CAST(sum(quantity) AS DECIMAL(38, 12)) AS quantity,
       CAST(sum(amount) AS DECIMAL(38, 12)) AS amount
FROM (
    SELECT date, customer_id, feature, model, cost_class, no_rate,
           CASE WHEN cost_class = 'model' THEN line['unit'] ELSE line['price_id'] END AS item,
           line['quantity'] AS quantity,
           line['amount'] AS amount
    FROM (
        SELECT date, customer_id, feature, model, cost_class, no_rate, unnest(cost_lines) AS line
        FROM (
            SELECT date,
                   coalesce(nullif(customer_id, ''), '(unattributed)') AS customer_id,
                   coalesce(nullif(feature, ''), '(unattributed)') AS feature,
                   coalesce(nullif(response_model, ''), nullif(request_model, ''), '(unattributed)') AS model,
                   cost_class, no_rate, cost_lines
            FROM calls_of_months
            WHERE (cost_class = 'model' AND cost_usd IS NOT NULL) OR cost_class = 'other_cogs'
        ) AS calls
    ) AS lines
) AS items
GROUP BY date, customer_id, feature, model, cost_class, no_rate, item
