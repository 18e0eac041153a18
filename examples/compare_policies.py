import hindscale as hs

chatbot = hs.application("chatbot")  # or hs.read_trace("week.parquet")
result = hs.backtest(
    chatbot.generate(days=2),
    policies=["target-tracking", "predictive", "utilization", "fixed"],
    service=chatbot.service,
    slo="p95 < 16s",
)
print(result.table())
