-- The twenty conversations that cost most, with how many calls they took and how long they went on.
select
    conversation_id,
    min(customer_id) as customer,
    min(user_id) as user,
    count(*) as calls,
    sum(cost_usd) as cost_usd,
    max(cost_usd) as dearest_call_usd,
    min(start_time) as started,
    max(end_time) as ended
from calls
where conversation_id is not null
group by conversation_id
order by cost_usd desc nulls last, conversation_id
limit 20
