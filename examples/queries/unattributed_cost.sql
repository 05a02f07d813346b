-- Cost that no customer stands behind, by the service and the span that made it: where to add `customer.id` next.
select
    service_name,
    name as span,
    coalesce(feature, '(no feature)') as feature,
    count(*) as calls,
    sum(cost_usd) as cost_usd
from calls
where customer_id is null
group by 1, 2, 3
order by cost_usd desc nulls last, calls desc
limit 50
