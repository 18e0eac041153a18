"""For people who write a policy, guardrail or forecaster of their own: contracts to pass, and fakes.

A contract is a test class to inherit from; the subclass only names what is tested:

```python
from hindscale.testing import PolicyContract

class TestMyPolicy(PolicyContract):
    def policies(self):
        return [MyPolicy(target=4.0)]
```
"""

from hindscale.testing.contracts import ForecasterContract, GuardrailContract, PolicyContract
from hindscale.testing.fakes import FakeFleet, ManualClock, observation

__all__ = ["FakeFleet", "ForecasterContract", "GuardrailContract", "ManualClock", "PolicyContract", "observation"]
