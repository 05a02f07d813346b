-- What each customer cost this month: the dearest first.
-- A call without a price has no cost, which is not a cost of zero: it is counted beside.
select
    coalesce(customer_id, '(unattributed)') as customer,
    count(*) as calls,
    sum(cost_usd) as cost_usd,
    count(*) filter (where cost_usd is null) as calls_without_cost
from calls
where date >= date_trunc('month', now())
  and cost_class = 'model'
group by 1
order by cost_usd desc nulls last, customer
