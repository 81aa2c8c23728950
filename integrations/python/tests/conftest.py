"""Random tests are the same ones each time; JOINERY_EXAMPLES=1000 runs more of them."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "joinery",
    deadline=None,
    derandomize=True,
    max_examples=int(os.environ.get("JOINERY_EXAMPLES", 60)),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("joinery")
