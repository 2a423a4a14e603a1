"""Metadata of Channel Access, by the names that several libraries took over from `cadef.h`."""

# `DBE_…` bits.
MASKS = {"value": 1, "log": 2, "alarm": 4, "property": 8}

LIMITS = {
    "units": "units",
    "precision": "precision",
    "display_low": "lower_disp_limit",
    "display_high": "upper_disp_limit",
    "alarm_low": "lower_alarm_limit",
    "alarm_high": "upper_alarm_limit",
    "warning_low": "lower_warning_limit",
    "warning_high": "upper_warning_limit",
    "control_low": "lower_ctrl_limit",
    "control_high": "upper_ctrl_limit",
}


def mask_of(question):
    """Value and alarm where nothing else is asked for, as `camonitor` does."""
    return sum(MASKS[name] for name in question.mask or ("value", "alarm"))
