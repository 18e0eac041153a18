"""A fleet of processes on this machine behind Envoy.

```
clients ─▶ Envoy ─▶ replicas             processes, each watched by a launcher that ends with us
             └────▶ activator ─▶ replica  only while no replica is ready
```
`LocalService` puts the parts together; `LocalServiceSpec` is all that is to be known of a service.
"""

from hindscale.live.local.service import LocalService
from hindscale.live.local.spec import LocalServiceSpec

__all__ = ["LocalService", "LocalServiceSpec"]
