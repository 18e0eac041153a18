"""The Cluster Autoscaler: adds nodes for pods that fit nowhere, and removes nodes whose pods fit elsewhere.

Values are in `values`; which pods fit which nodes, in `scheduling`. Up: `pending` (which pods count), `estimator`
(how many nodes of a group), `options` (what each group offers), `expanders` (which group), `balancing`, and
`scale_up` (the plan of one loop). Between: `provisioning`, `backoff` and `capacity_delay` (what was ordered and
has not come). Down: `candidates`, `utilization`, `drain`, `eligibility`, `budgets` and `scale_down`. It sets the
number of nodes; how many pods there should be is decided elsewhere.
"""
