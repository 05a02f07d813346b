-- Records that arrived and were not billed, and why: roll-ups of agents, wrappers, the same call reported twice, failures.
-- Had they been added up, the cost would be too high by what they report.
select reason, convention, role, count(*) as records, sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens
from calls_excluded
group by 1, 2, 3
order by records desc, reason
