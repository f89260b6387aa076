from hypothesis import HealthCheck, settings

# a busy machine is no failed property
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")
