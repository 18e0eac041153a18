"""How many replicas does a load need? The formulas by themselves, without a simulation."""

import hindscale as hs
from hindscale import sizing

chatbot = hs.application("chatbot")
capacity = sizing.capacity_rps(chatbot.service, chatbot.slo)
print(f"one replica sustains {capacity:.2f} requests/s within {chatbot.slo}")

for rate in (5, 20, 80):
    print(f"{rate:>3} requests/s: {sizing.replicas_for_rate(rate, capacity_rps=capacity, alpha=0.8)} replicas")

print("utilization 90 % of 10 replicas, upper threshold 80 %:")
for rounding in ("product", "ratio"):
    print(f"  rounding={rounding}: {sizing.scale_out_replicas(10, 0.9, 0.8, rounding=rounding)} replicas")

print("normal model, 10 replicas, mean 60 %, deviation 10 %, thresholds 40 and 80 %:")
n_plus = sizing.normal_scale_out(10, sizing.share_above(0.8, mu=0.6, sigma=0.1))
n_minus = sizing.normal_scale_in(10, sizing.share_below(0.4, mu=0.6, sigma=0.1))
print(f"  add {n_plus:.3f}, remove {n_minus:.4f}, before rounding")
