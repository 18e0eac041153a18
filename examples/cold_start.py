"""How long may a start take? The same day of traffic, the same policies, four cold starts."""

from dataclasses import replace

import hindscale as hs

chatbot = hs.application("chatbot")
day = chatbot.generate(days=1, seed=2)  # with a campaign mail in the morning
policies = ["target-tracking", "predictive"]

print(f"{'cold start':>10}  {'policy':<15}  {'in SLO':>7}  {'cost':>6}")
for seconds in (10, 60, 180, 600):
    service = replace(chatbot.service, cold_start=hs.Constant(seconds))
    result = hs.backtest(day, policies, service=service, slo=chatbot.slo, seeds=2)
    for row in sorted(result.traces[0].rows, key=lambda row: row.policy):
        attainment, cost = row.mean("slo_attainment"), row.mean("cost")
        print(f"{seconds:>8} s  {row.policy:<15}  {attainment:>7.2%}  {cost:>6.2f}")
